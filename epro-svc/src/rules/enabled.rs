use super::{Broken, Submission};

/// No item is answered that was not to be asked.
pub(super) fn check(submission: &Submission<'_>) -> Vec<Broken> {
    submission
        .answered()
        .filter(|(item, _)| !submission.is_enabled(item))
        .map(|(item, _)| Broken::answer(item, "disabled"))
        .collect()
}

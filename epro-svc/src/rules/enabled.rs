use super::Broken;
use crate::filled_in::FilledIn;

/// Disabled items are not answered.
pub(super) fn check(filled_in: &FilledIn<'_>) -> Vec<Broken> {
    filled_in
        .answered()
        .filter(|(item, _)| !filled_in.is_enabled(item))
        .map(|(item, _)| Broken::answer(item, "disabled"))
        .collect()
}

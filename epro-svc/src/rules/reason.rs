use super::Broken;

/// Most characters of a reason.
const LIMIT: usize = 500;

/// A new revision has a reason, which is not too long and has no NUL, because Postgres cannot store one.
pub(super) fn check(reason: &str) -> Vec<Broken> {
    let rules = [
        ("required", reason.trim().is_empty()),
        ("length", reason.chars().count() > LIMIT),
        ("null-character", reason.contains('\0')),
    ];
    rules.into_iter().filter(|(_, broken)| *broken).map(|(rule, _)| Broken::at("/reason", rule)).collect()
}

//! Suggests the key that a misspelt one was meant to be.

/// How similar two keys must be, from 0 to 1. It is less strict than [`near_miss`](crate::near_miss), because this is
/// only advice for the person who configures a service: nothing is decided by it, and keys contain nothing private.
const ALIKE: f64 = 0.8;

/// Adds the nearest known key to an error that names an unknown one. It parses serde's message, "unknown field `a`,
/// expected one of `b`, `c`" (or "unknown variant"), because a deserializer gives nothing else.
pub(super) fn with_hint(error: &str) -> String {
    let mut quoted = error.split('`').skip(1).step_by(2);
    let nearest = match quoted.next() {
        Some(unknown) if ["unknown field", "unknown variant"].iter().any(|words| error.contains(words)) => {
            nearest(unknown, quoted)
        }
        _ => None,
    };
    nearest.map_or_else(|| error.to_owned(), |known| format!("{error}; did you mean `{known}`?"))
}

/// Adds the known top-level keys to an error that names an unknown top-level key.
pub(super) fn with_more_keys(error: &str, more: &[&str]) -> String {
    let mut quoted = error.split('`').skip(1).step_by(2);
    match quoted.next() {
        Some(unknown) if error.starts_with("unknown field") && !error.contains(" for key `") => {
            let known = quoted.chain(more.iter().copied()).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            format!("unknown field `{unknown}`, expected one of {known}")
        }
        _ => error.to_owned(),
    }
}

pub(super) fn nearest<'k>(unknown: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let rated = known.map(|known| (strsim::jaro_winkler(unknown, known), known));
    let (likeness, known) = rated.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (likeness >= ALIKE).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::{with_hint, with_more_keys};

    #[test]
    fn a_misspelt_key_is_answered_with_the_nearest_one() {
        for (error, hint) in [
            ("unknown field `samplr`, expected one of `name`, `sampler`, `spans`", "; did you mean `sampler`?"),
            ("unknown field `sise`, expected `size` or `batch` for key `queue`", "; did you mean `size`?"),
            ("unknown field `zzz`, expected one of `name`, `sampler`", ""),
            ("missing field `name`", ""),
            ("invalid type: string \"x\", expected u64", ""),
        ] {
            assert_eq!(with_hint(error), format!("{error}{hint}"));
        }
    }

    #[test]
    fn outside_of_all_blocks_more_keys_are_known() {
        for (error, expected) in [
            ("unknown field `a`, expected `b`", "unknown field `a`, expected one of `b`, `listen`"),
            ("unknown field `a`, expected `b` for key `c`", "unknown field `a`, expected `b` for key `c`"),
            ("missing field `a`", "missing field `a`"),
        ] {
            assert_eq!(with_more_keys(error, &["listen"]), expected);
        }
    }
}

/// The known name that was most likely meant by `given`, which differs from it only in case, in separators or by a
/// typo: one letter of four, two at most. `given` then contains only ASCII letters, digits, dots, hyphens and
/// underscores, and may be shown to its sender: a text so near to a name of ours contains nothing private.
pub fn near_miss<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let is_name = given.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !is_name {
        return None;
    }
    let plain = |name: &str| name.replace(['.', '_', '-'], "").to_lowercase();
    let meant = plain(given);
    let rated = known.into_iter().filter_map(|name| {
        let name_plain = plain(name);
        let slips = strsim::osa_distance(&meant, &name_plain);
        let separators = given.len().abs_diff(meant.len());
        (slips <= (name_plain.len() / 4).min(2) && separators <= name_plain.len()).then_some((slips, name))
    });
    rated.min_by_key(|(slips, _)| *slips).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = ["assignment_id", "captured_at", "attested", "answers", "pain"];

    #[test]
    fn a_slip_of_the_pen_is_a_near_miss() {
        for (given, meant) in [
            ("capturedAt", "captured_at"),
            ("captured-at", "captured_at"),
            ("ATTESTED", "attested"),
            ("atested", "attested"),
            ("attetsed", "attested"),
            ("answer", "answers"),
            ("assignmentid", "assignment_id"),
            ("asignment_di", "assignment_id"),
            ("pian", "pain"),
        ] {
            assert_eq!(near_miss(given, KNOWN), Some(meant), "{given}");
        }
    }

    #[test]
    fn another_word_is_none() {
        for given in ["", "score", "zebra", "pal", "brain-", "pa\0n", "pa\u{ef}n", "answers with more", "attestation"] {
            assert_eq!(near_miss(given, KNOWN), None, "{given}");
        }
    }

    #[test]
    fn separators_hide_nothing() {
        assert_eq!(near_miss(&format!("p{}ain", "-".repeat(100)), KNOWN), None);
    }
}

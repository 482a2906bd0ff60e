use axum::extract::FromRequestParts;
use http::header::IF_MATCH;
use http::request::Parts;

use super::header::single;
use crate::problem::Problem;

/// State numbers of which one must be the report's current one; empty: any (`*`).
///
/// The type of the same name in the `headers` crate does not give access to its tags, and accepts malformed tags.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct IfMatch(pub(crate) Vec<u32>);

/// A state number that no report has.
const NEVER: u32 = 0;

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if !parts.headers.contains_key(IF_MATCH) {
            return Err(Problem::PRECONDITION_REQUIRED);
        }
        let text = single(&parts.headers, &IF_MATCH).ok_or(Problem::IF_MATCH)?.trim();
        if text == "*" {
            return Ok(Self(Vec::new()));
        }
        let tags = entity_tags(text).filter(|tags| !tags.is_empty()).ok_or(Problem::IF_MATCH)?;
        let states: Vec<_> = tags.iter().filter_map(state_number).collect();
        // An empty list would mean any state.
        Ok(Self(if states.is_empty() { vec![NEVER] } else { states }))
    }
}

/// An entity tag (RFC 9110, section 8.8.3).
struct EntityTag<'a> {
    weak: bool,
    opaque: &'a str,
}

/// Reads a list of entity tags. Empty members are ignored (RFC 9110, section 5.6.1.2).
fn entity_tags(text: &str) -> Option<Vec<EntityTag<'_>>> {
    let mut tags = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(tags);
        }
        let (weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |quoted| (true, quoted));
        let (opaque, after) = quoted.strip_prefix('"')?.split_once('"')?;
        if !opaque.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        tags.push(EntityTag { weak, opaque });
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

/// The number of the state that has this tag for a patient, see [`report_tag`](crate::representation::report_tag). A
/// weak tag matches no state (RFC 9110, section 13.1.1). Tags are compared byte by byte, so that `"01"` is not `"1"`.
fn state_number(tag: &EntityTag<'_>) -> Option<u32> {
    let number = tag.opaque.parse::<u32>().ok()?;
    (!tag.weak && number.to_string() == tag.opaque).then_some(number)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    async fn if_match(values: &[&str]) -> Result<IfMatch, Problem> {
        let request = values.iter().fold(Request::builder(), |request, value| request.header(IF_MATCH, *value));
        IfMatch::from_request_parts(&mut request.body(()).unwrap().into_parts().0, &()).await
    }

    #[tokio::test]
    async fn tags_are_states() {
        for (value, states) in [
            ("\"1\"", vec![1]),
            (" \"1\" , \"2\",,\"30\" ", vec![1, 2, 30]),
            ("\"1\", \"of,another\", W/\"2\"", vec![1]),
            ("*", vec![]),
        ] {
            assert_eq!(if_match(&[value]).await, Ok(IfMatch(states)), "{value}");
        }
    }

    #[tokio::test]
    async fn tags_that_are_no_states_match_nothing() {
        for value in ["\"abc\"", "\"1-nurse\"", "\"\"", "W/\"1\"", "\"01\"", "\"+1\"", "\"4294967296\"", "\"-1\""] {
            assert_eq!(if_match(&[value]).await, Ok(IfMatch(vec![NEVER])), "{value}");
        }
    }

    #[tokio::test]
    async fn a_change_needs_a_precondition() {
        assert_eq!(if_match(&[]).await, Err(Problem::PRECONDITION_REQUIRED));
    }

    #[tokio::test]
    async fn what_is_no_list_of_tags_is_refused() {
        for value in ["", ",", "1", "\"1", "1\"", "w/\"1\"", "\"1\" \"2\"", "\"1\"2", "*, \"1\"", "\"1\", *", "\"a b\""]
        {
            assert_eq!(if_match(&[value]).await, Err(Problem::IF_MATCH), "{value}");
        }
        assert_eq!(if_match(&["\"1\"", "\"1\""]).await, Err(Problem::IF_MATCH));
    }
}

//! [`tracestate`](https://www.w3.org/TR/trace-context-2/#tracestate-header): what tracing systems on the way have added.

use opentelemetry::trace::TraceState;

/// Members at most; a longer list is invalid.
const MEMBERS: usize = 32;

/// The longest key and the longest value.
const LONGEST: usize = 256;

/// What is handed on at least, in characters, and here at most.
const LIMIT: usize = 512;

/// Members longer than this go first where the whole is too long.
const LONG_MEMBER: usize = 128;

/// Reads a list that may be spread over several headers. One that is invalid in any place counts as none. Of members
/// with the same key the first, which is the last that was added, is kept.
pub(super) fn parse<'a>(headers: impl Iterator<Item = &'a [u8]>) -> TraceState {
    read(headers).unwrap_or(TraceState::NONE)
}

fn read<'a>(headers: impl Iterator<Item = &'a [u8]>) -> Option<TraceState> {
    let mut members: Vec<(&str, &str)> = Vec::new();
    let mut count = 0;
    for header in headers {
        for member in str::from_utf8(header).ok()?.split(',').map(|member| member.trim_matches([' ', '\t'])) {
            if member.is_empty() {
                continue;
            }
            count += 1;
            let (key, value) = member.split_once('=')?;
            if count > MEMBERS || !is_key(key) || !is_value(value) {
                return None;
            }
            if members.iter().all(|(other, _)| *other != key) {
                members.push((key, value));
            }
        }
    }
    cut(&mut members);
    store(&members)
}

/// Leaves out whole members until the list is short enough: long ones first, then from the end.
fn cut(members: &mut Vec<(&str, &str)>) {
    let length = |(key, value): &(&str, &str)| key.len() + 1 + value.len();
    let total = |members: &[(&str, &str)]| members.iter().map(|member| length(member) + 1).sum::<usize>();
    while total(members) > LIMIT + 1 {
        let long = members.iter().rposition(|member| length(member) > LONG_MEMBER);
        members.remove(long.unwrap_or(members.len() - 1));
    }
}

/// The SDK's type does not take every key that the standard allows: those it refuses are stored as two members
/// without a key, which no valid list has.
fn store(members: &[(&str, &str)]) -> Option<TraceState> {
    let fits = |key: &str, value: &str| TraceState::from_key_value([(key, value)]).is_ok();
    let pairs = members
        .iter()
        .flat_map(|(key, value)| if fits(key, value) { vec![(*key, *value)] } else { vec![("", *key), ("", *value)] });
    TraceState::from_key_value(pairs.take(MEMBERS / 2 * 2)).ok()
}

/// The list as the value of the header, empty if there is none.
pub(super) fn format(state: &TraceState) -> String {
    if *state == TraceState::NONE {
        return String::new();
    }
    let mut stored = state.header();
    // A member whose key is stored as a value: `=key,=value`.
    if stored.starts_with('=') || stored.contains(",=") {
        let mut members = stored.split(',');
        let mut text = Vec::new();
        while let Some(member) = members.next() {
            match member.strip_prefix('=') {
                None => text.push(member.to_owned()),
                Some(key) => {
                    let value = members.next().and_then(|value| value.strip_prefix('='));
                    text.extend(value.map(|value| format!("{key}={value}")));
                }
            }
        }
        stored = text.join(",");
    }
    stored
}

fn is_key(key: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_next = |byte: u8| is_first(byte) || b"_-*/@".contains(&byte);
    key.len() <= LONGEST && key.bytes().next().is_some_and(is_first) && key.bytes().all(is_next)
}

fn is_value(value: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b',' && byte != b'=';
    (1..=LONGEST).contains(&value.len()) && value.bytes().all(is_allowed)
}

//! [`tracestate`](https://www.w3.org/TR/trace-context-2/#tracestate-header): what tracing systems on the way have added.

use opentelemetry::trace::TraceState;

/// The most members; a longer list is invalid.
const MEMBERS: usize = 32;

/// The longest key and the longest value.
const LONGEST: usize = 256;

/// The longest list that is sent on, in characters: the minimum that the standard demands.
const LIMIT: usize = 512;

/// Members longer than this are left out first if the list is too long.
const LONG_MEMBER: usize = 128;

/// Reads a list that may be spread over several headers. A list that is invalid anywhere counts as none. Of members
/// with the same key the first is kept, because it was added last.
pub(crate) fn parse<'a>(headers: impl Iterator<Item = &'a [u8]>) -> TraceState {
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
    cut(&mut members, 0);
    store(&members)
}

/// The same list with a member in front, in place of one that has its key.
pub(super) fn with(state: &TraceState, key: &str, value: &str) -> TraceState {
    let mut members: Vec<_> = members(state).filter(|(other, _)| *other != key).collect();
    if !value.is_empty() {
        members.insert(0, (key, value));
    }
    members.truncate(MEMBERS);
    cut(&mut members, usize::from(!value.is_empty()));
    store(&members).unwrap_or_default()
}

/// Leaves out whole members until the list is short enough: long ones first, then from the end, but never the first
/// `kept`.
fn cut(members: &mut Vec<(&str, &str)>, kept: usize) {
    let length = |(key, value): &(&str, &str)| key.len() + 1 + value.len();
    let total = |members: &[(&str, &str)]| members.iter().map(|member| length(member) + 1).sum::<usize>();
    while members.len() > kept && total(members) > LIMIT + 1 {
        let long = members.iter().skip(kept).rposition(|member| length(member) > LONG_MEMBER);
        members.remove(long.map_or(members.len() - 1, |long| kept + long));
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

/// The members as they are on the wire: one whose key the SDK refuses is stored as two.
fn members(state: &TraceState) -> impl Iterator<Item = (&str, &str)> {
    let mut stored = state.into_iter();
    std::iter::from_fn(move || match stored.next()? {
        ("", key) => stored.next().map(|(_, value)| (key, value)),
        member => Some(member),
    })
}

/// The list as the value of the header, empty if there is none.
pub(super) fn format(state: &TraceState) -> String {
    let mut text = String::new();
    for (key, value) in members(state) {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(key);
        text.push('=');
        text.push_str(value);
    }
    text
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

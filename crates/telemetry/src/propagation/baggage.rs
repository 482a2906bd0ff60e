//! [W3C Baggage](https://www.w3.org/TR/baggage/), by an allow-list of keys.

use ::http::{HeaderMap, HeaderName};
use opentelemetry::KeyValue;
use opentelemetry::baggage::Baggage;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

use super::put;

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// The most bytes that are read and written: the minimum that the standard demands.
const LIMIT: usize = 8_192;

/// What must be percent-encoded in a value (section 3.3.1.4), and the percent sign itself.
const RESERVED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');

/// Reads the members that have one of these keys, without their properties. Invalid members are skipped.
pub(super) fn extract(headers: &HeaderMap, keys: &[String]) -> Vec<KeyValue> {
    let values = headers.get_all(BAGGAGE).iter().map(::http::HeaderValue::as_bytes);
    let mut read = 0;
    let values = values.take_while(|value| {
        read += value.len();
        read <= LIMIT
    });
    let members = values.flat_map(|value| value.split(|byte| *byte == b','));
    members.filter_map(|member| self::member(member, keys)).collect()
}

fn member(member: &[u8], keys: &[String]) -> Option<KeyValue> {
    let pair = member.split(|byte| *byte == b';').next()?;
    let (key, value) = str::from_utf8(pair).ok()?.split_once('=')?;
    let key = keys.iter().find(|allowed| **allowed == key.trim())?;
    let value = percent_decode(value.trim().as_bytes()).decode_utf8().ok()?;
    Some(KeyValue::new(key.clone(), value.into_owned()))
}

/// Writes the members that have one of these keys, as many as there is room for.
pub(super) fn inject(baggage: &Baggage, keys: &[String], headers: &mut HeaderMap) {
    let mut text = String::new();
    for key in keys {
        let Some(value) = baggage.get(key) else { continue };
        let member = format!("{key}={}", utf8_percent_encode(value.as_str(), RESERVED));
        if text.len() + 1 + member.len() <= LIMIT {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(&member);
        }
    }
    put(headers, &BAGGAGE, text.as_bytes());
}

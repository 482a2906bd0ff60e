use std::fmt;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::header::single;
use crate::problem::Problem;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// A body that is one JSON object, with its raw bytes.
///
/// It is stricter than JSON: a name may occur only once, because two readers of a repeated name could see two different
/// reports.
pub(crate) struct JsonObject {
    pub(crate) object: Map<String, Value>,
    pub(crate) raw: Bytes,
}

/// A media type that a body may have. Its charset is always UTF-8.
pub(crate) struct MediaType {
    pub(crate) essences: &'static [&'static str],
    /// A parameter other than the charset, in lower case, and its value.
    pub(crate) parameter: Option<(&'static str, &'static str)>,
}

const JSON: MediaType = MediaType { essences: &["application/json"], parameter: None };

impl<S: Send + Sync> FromRequest<S> for JsonObject {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Self::read(request, state, &JSON).await
    }
}

impl JsonObject {
    /// Reads a body of this media type.
    pub(crate) async fn read<S: Send + Sync>(
        request: Request,
        state: &S,
        expected: &MediaType,
    ) -> Result<Self, Problem> {
        if !expected.is_of(request.headers()) {
            return Err(Problem::UNSUPPORTED_MEDIA_TYPE);
        }
        let raw = match timeout(BODY_TIMEOUT, Bytes::from_request(request, state)).await {
            Ok(Ok(raw)) => raw,
            Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                return Err(Problem::TOO_LARGE);
            }
            Ok(Err(_)) => return Err(Problem::MALFORMED_JSON),
            Err(_) => return Err(Problem::SLOW_BODY),
        };
        match serde_json::from_slice(&raw) {
            Ok(Unambiguous(Value::Object(object))) => Ok(Self { object, raw }),
            _ => Err(Problem::MALFORMED_JSON),
        }
    }
}

impl MediaType {
    fn is_of(&self, headers: &HeaderMap) -> bool {
        let Some(media_type) = single(headers, &CONTENT_TYPE) else { return false };
        let mut parts = media_type.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        self.essences.iter().any(|known| essence.eq_ignore_ascii_case(known))
            && parts.filter(|parameter| !parameter.is_empty()).all(|parameter| self.takes(parameter))
            && !headers.contains_key(CONTENT_ENCODING)
    }

    /// A parameter's value means the same with and without quotes (RFC 9110, section 8.3.2).
    fn takes(&self, parameter: &str) -> bool {
        let Some((name, value)) = parameter.split_once('=') else { return false };
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        let is =
            |(known, expected): (&str, &str)| name.eq_ignore_ascii_case(known) && value.eq_ignore_ascii_case(expected);
        is(("charset", "utf-8")) || self.parameter.is_some_and(is)
    }
}

/// A JSON value in which no object has a name twice.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Unambiguous(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unambiguous(value))) = entries.next_entry::<String, _>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn is_plain(media_type: &'static str) -> bool {
        JSON.is_of(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]))
    }

    #[test]
    fn json_in_utf_8_may_be_spelt_in_many_ways() {
        for media_type in [
            "application/json",
            "Application/JSON ; Charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/json; charset=\"UTF-8\" ",
            "application/json; ",
        ] {
            assert!(is_plain(media_type), "{media_type}");
        }
    }

    #[test]
    fn what_may_not_be_json_in_utf_8_is_not_read() {
        for media_type in [
            "",
            "text/json",
            "application/problem+json",
            "application/json; charset=utf-16",
            "application/json; charset=\"utf-8",
            "application/json; charset=utf-8\"",
            "application/json; charset=\"\"",
            "application/json; charset",
            "application/json; version=utf-8",
            "application/json; charset=utf-8; charset=utf-16",
        ] {
            assert!(!is_plain(media_type), "{media_type}");
        }
        assert!(!JSON.is_of(&HeaderMap::new()));
    }

    fn is_accepted(text: &[u8]) -> bool {
        serde_json::from_slice::<Unambiguous>(text).is_ok()
    }

    #[test]
    fn an_ambiguous_or_broken_text_is_no_json() {
        let nested = "[".repeat(10_000);
        let broken: [&[u8]; 11] = [
            b"",
            b"{",
            b"{} {}",
            br#"{"a":1,"a":1}"#,
            br#"{"a":{"b":1,"b":2}}"#,
            b"{\"a\":\"\xff\"}",
            b"\xef\xbb\xbf{}",
            br#"{"a":"\ud800"}"#,
            b"NaN",
            b"1e999",
            nested.as_bytes(),
        ];
        for text in broken {
            assert!(!is_accepted(text), "{:?}", String::from_utf8_lossy(&text[..text.len().min(40)]));
        }
    }

    #[test]
    fn ordinary_json_is_accepted() {
        assert!(is_accepted(br#" {"a":[1,-1,1.5,true,null,"x\u0000"],"b":{"a":1}} "#));
    }
}

use http::{HeaderMap, HeaderName};

/// The text of a header that was sent exactly once. If there were two, a proxy and this service could read different
/// ones.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

use ::http::{HeaderMap, HeaderName, HeaderValue};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};
use proptest::prelude::*;

use super::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";
const ALL: [Propagator; 5] =
    [Propagator::TraceContext, Propagator::Baggage, Propagator::B3, Propagator::B3Multi, Propagator::Jaeger];

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    pairs.iter().map(pair).collect::<Vec<_>>().into_iter().fold(HeaderMap::new(), |mut map, (name, value)| {
        map.append(name, value);
        map
    })
}

fn read(format: Propagator, pairs: &[(&'static str, &str)]) -> Option<SpanContext> {
    Propagators::new(&[format]).extract(&headers(pairs))
}

/// The headers of a request that leaves, after one with the headers `pairs` has come in.
fn handed_on(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let formats = Propagators::new(&[Propagator::TraceContext]);
    let mut headers = headers(pairs);
    let span = formats.extract(&headers).unwrap();
    formats.inject(&span, &mut headers);
    headers
}

fn state(values: &[&str]) -> String {
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let pairs: Vec<_> =
        [("traceparent", &*parent)].into_iter().chain(values.iter().map(|value| ("tracestate", *value))).collect();
    let headers = handed_on(&pairs);
    headers.get("tracestate").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[test]
fn a_traceparent_is_read_to_the_letter() {
    let valid = |text: &str| parse(text, "").is_some();
    for text in [
        format!("00-{TRACE}-{SPAN}-01"),
        format!("00-{TRACE}-{SPAN}-ff"),
        format!("cc-{TRACE}-{SPAN}-01"),
        format!("cc-{TRACE}-{SPAN}-01-what-the-future-brings"),
    ] {
        assert!(valid(&text), "{text}");
    }
    for text in [
        String::new(),
        "é".to_owned(),
        "00-1-2-01".to_owned(),
        format!("00-{TRACE}-{SPAN}-1"),
        format!("00-{TRACE}-{SPAN}-01-"),
        format!("00-{TRACE}-{SPAN}-01 and more"),
        format!("0-{TRACE}-{SPAN}-01"),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("cc-{TRACE}-{SPAN}-01.x"),
        format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        format!("00-{TRACE}-{SPAN}-0X"),
        format!("00-{}-{SPAN}-01", "0".repeat(32)),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00_{TRACE}-{SPAN}-01"),
    ] {
        assert!(!valid(&text), "{text}");
    }
}

#[test]
fn of_two_traceparents_none_is_believed() {
    let parent = format!("00-{TRACE}-{SPAN}-01");
    assert!(read(Propagator::TraceContext, &[("traceparent", &parent), ("traceparent", &parent)]).is_none());
    assert!(read(Propagator::TraceContext, &[("traceparent", &format!(" \t{parent} "))]).is_some());
}

#[test]
fn the_flags_that_are_known_are_handed_on_and_the_others_are_not() {
    for (received, sent) in [("00-", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("ff", "03")] {
        let parent = format!("00-{TRACE}-{SPAN}-{}", &received[..2]);
        assert_eq!(handed_on(&[("traceparent", &parent)])["traceparent"], format!("00-{TRACE}-{SPAN}-{sent}"));
    }
    let later = format!("01-{TRACE}-{SPAN}-ff");
    assert_eq!(handed_on(&[("traceparent", &later)])["traceparent"], format!("00-{TRACE}-{SPAN}-01"));
}

#[test]
fn a_strangers_threshold_takes_none_of_the_numbers_for_thresholds() {
    let parent = format!("00-{TRACE}-{SPAN}-03");
    for threshold in 0x1000..0x1100 {
        let threshold = format!("ot=th:{threshold:x}");
        let pairs = [("traceparent", &*parent), ("tracestate", &*threshold)];
        let place = read(Propagator::TraceContext, &pairs).unwrap();
        assert_eq!(
            (crate::trace_state::packed_threshold(&place), place.trace_state().get("ot")),
            (None, threshold.strip_prefix("ot="))
        );
    }
}

#[test]
fn every_valid_tracestate_is_handed_on() {
    let long = format!("{}=1", "z".repeat(256));
    let vendor = format!("{}@{}=1", "t".repeat(241), "v".repeat(14));
    for text in ["a=1", "a=1,b=2", "1a=x y", "foo@=1,bar=2", "foo@@bar=1,bar=2", "foo@bar@baz=1", &long, &vendor] {
        assert_eq!(state(&[text]), text);
    }
    assert_eq!(state(&["a=1", "", " b=2\t,\tc=3"]), "a=1,b=2,c=3");
    assert_eq!(state(&["a=1,b=2,a=3"]), "a=1,b=2");
}

#[test]
fn an_invalid_tracestate_is_left_out_and_the_trace_stays() {
    let long = format!("{}=1", "z".repeat(257));
    let many: Vec<_> = (0..33).map(|number| format!("a{number}=1")).collect();
    let many = many.join(",");
    for text in ["", "a", "a=1,=2", "@a=1,b=2", "A=1", "a b=1", "a=b=c", "a=,b=3", "a.b=1", &long, &many] {
        assert_eq!(state(&[text]), "", "{text}");
    }
}

#[test]
fn a_tracestate_that_is_too_long_loses_long_members_first_and_then_the_last_ones() {
    let long = format!("long={}", "x".repeat(200));
    let short: Vec<_> = (10..30).map(|number| format!("a{number}={}", "x".repeat(20))).collect();
    let handed_on = state(&[&long, &short.join(",")]);
    assert!(handed_on.len() <= 512 && !handed_on.contains("long"), "{handed_on}");
    assert_eq!(handed_on, short[..handed_on.split(',').count()].join(","));
    assert_eq!(handed_on.split(',').count(), 20);
}

#[test]
fn b3_is_read_from_one_header_or_several() {
    let one = |value: &str| read(Propagator::B3, &[("b3", value)]).map(|span| span.is_sampled());
    assert_eq!(one(&format!("{TRACE}-{SPAN}-1")), Some(true));
    assert_eq!(one(&format!("{TRACE}-{SPAN}-d-{SPAN}")), Some(true));
    assert_eq!(one(&format!("{}-{SPAN}-0", &TRACE[16..])), Some(false));
    assert_eq!(one(&format!("{TRACE}-{SPAN}")), Some(false));
    for text in ["0", "1", "", "-", &format!("{TRACE}-{SPAN}-2"), &format!("{TRACE}-{SPAN}-1-x"), "x-y-1"] {
        assert_eq!(one(text), None, "{text}");
    }
    let several = |sampled: &[(&'static str, &str)]| {
        let ids = [("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN)];
        read(Propagator::B3Multi, &[&ids, sampled].concat()).map(|span| span.is_sampled())
    };
    assert_eq!(several(&[("x-b3-sampled", "1")]), Some(true));
    assert_eq!(several(&[("x-b3-sampled", "0"), ("x-b3-flags", "1")]), Some(true));
    assert_eq!(several(&[]), Some(false));
    assert_eq!(several(&[("x-b3-traceid", TRACE)]), None);
}

#[test]
fn jaegers_format_has_no_leading_zeroes() {
    let read = |value: &str| {
        let span = read(Propagator::Jaeger, &[("uber-trace-id", value)])?;
        Some((span.trace_id().to_string(), span.span_id().to_string(), span.is_sampled()))
    };
    let expected = ("0".repeat(31) + "a", "0".repeat(15) + "b", true);
    assert_eq!(read("a:b:0:1"), Some(expected.clone()));
    assert_eq!(read("a%3Ab%3A0%3A3"), Some(expected));
    assert_eq!(read(&format!("{TRACE}:{SPAN}:0:0")), Some((TRACE.to_owned(), SPAN.to_owned(), false)));
    for text in ["", ":::", "a:b:1", "0:b:0:1", "a:0:0:1", "a:b:0:x", "a:b:0:111", "a:b:0:1:2", "g:b:0:1"] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn of_baggage_only_the_allowed_keys_pass_in_both_directions() {
    let formats = Propagators::new(&[Propagator::Baggage]);
    let allowed = ["tenant".to_owned(), "tier".to_owned()];
    let mut headers =
        headers(&[("baggage", "name=Jane, tenant = a%20b;secret=1"), ("baggage", "tier=%C3%A4,x,=,tenant")]);
    let members = formats.extract_baggage(&headers, &allowed);
    assert_eq!(members, [KeyValue::new("tenant", "a b"), KeyValue::new("tier", "ä")]);
    let baggage: Baggage = members.into_iter().chain([KeyValue::new("name", "Jane")]).collect();
    formats.inject_baggage(&baggage, &allowed, &mut headers);
    assert_eq!(headers.get_all("baggage").iter().collect::<Vec<_>>(), ["tenant=a%20b,tier=%C3%A4"]);
    formats.inject_baggage(&Baggage::new(), &allowed, &mut headers);
    assert!(!headers.contains_key("baggage"));
}

#[test]
fn the_first_valid_format_counts_and_all_are_written() {
    let formats = Propagators::new(&ALL);
    let span = formats.extract(&headers(&[("traceparent", "nonsense"), ("b3", &format!("{TRACE}-{SPAN}-1"))])).unwrap();
    let mut sent = headers(&[("tracestate", "stale=1"), ("x-b3-flags", "1")]);
    formats.inject(&span, &mut sent);
    let mut names: Vec<_> = sent.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["b3", "traceparent", "uber-trace-id", "x-b3-sampled", "x-b3-spanid", "x-b3-traceid"]);
}

fn token(secret: &str, expires_in: i64, algorithm: Algorithm) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = serde_json::json!({ "exp": now.saturating_add_signed(expires_in) });
    jsonwebtoken::encode(&Header::new(algorithm), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

#[test]
fn a_trace_is_kept_for_a_signed_header_that_has_not_expired_and_no_oftener_than_allowed() {
    let secret = "a secret of thirty-two bytes, or more";
    let config = KeepConfig { secret: secret.to_owned(), per_minute: 2.try_into().unwrap() };
    let keep = Keep::new(&config).unwrap();
    let admits = |token: &str| keep.admits(&headers(&[("trace-keep", token)]));
    for refused in [
        String::new(),
        "nonsense".to_owned(),
        token(secret, -1, Algorithm::HS256),
        token(secret, 2 * 24 * 60 * 60, Algorithm::HS256),
        token(secret, 60, Algorithm::HS512),
        token("another secret of thirty-two bytes", 60, Algorithm::HS256),
        "x".repeat(10_000),
    ] {
        assert!(!admits(&refused), "{refused}");
    }
    let valid = token(secret, 60, Algorithm::HS256);
    assert_eq!([admits(&valid), admits(&valid), admits(&valid)], [true, true, false]);
    assert!(Keep::new(&KeepConfig { secret: "short".to_owned(), ..config }).is_none());
}

proptest! {
    #[test]
    fn what_was_written_is_read_again(trace in 1_u128.., span in 1_u64.., flags in 0_u8..4) {
        let state = TraceState::from_key_value([("a", "1"), ("b", "2")]).unwrap();
        let sent = SpanContext::new(trace.into(), span.into(), TraceFlags::new(flags), true, state);
        let mut headers = HeaderMap::new();
        Propagators::new(&ALL).inject(&sent, &mut headers);
        prop_assert_eq!(Propagators::new(&[Propagator::TraceContext]).extract(&headers), Some(sent.clone()));
        for format in [Propagator::B3, Propagator::Jaeger] {
            let read = Propagators::new(&[format]).extract(&headers).unwrap();
            prop_assert_eq!(
                (read.trace_id(), read.span_id(), read.is_sampled()),
                (sent.trace_id(), sent.span_id(), sent.is_sampled())
            );
        }
    }

    #[test]
    fn no_bytes_of_a_stranger_are_worse_than_none(values in prop::collection::vec((0_usize..10, "\\PC{0,80}|[0-9a-f:-]{0,80}"), 0..12)) {
        const NAMES: [&str; 10] = [
            "traceparent", "tracestate", "baggage", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags",
            "uber-trace-id", "trace-keep",
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in &values {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.append(NAMES[*name], value);
            }
        }
        let formats = Propagators::new(&ALL);
        let allowed = ["tenant".to_owned()];
        prop_assert!(formats.extract(&headers).is_none_or(|span| span.is_valid()));
        for member in formats.extract_baggage(&headers, &allowed) {
            prop_assert_eq!(member.key.as_str(), "tenant");
        }
    }
}

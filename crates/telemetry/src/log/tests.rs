use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
use tracing_subscriber::layer::SubscriberExt;

use super::*;

const SERVICE: &str = "the \"service\"";

/// The lines that are written while `work` runs.
fn written(format: &Format, work: impl FnOnce()) -> String {
    let lines = Kept::default();
    let writer = lines.clone();
    let layer = Lines::new(format.clone(), move || writer.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn json(work: impl FnOnce()) -> String {
    let line = written(&Format::new(LogFormat::Json, SERVICE, true), work);
    // The time differs in each run.
    assert!(line.starts_with(r#"{"timestamp":"2"#) && line.find('Z') == Some(40), "{line}");
    line[41..].to_owned()
}

fn text(coloured: bool, work: impl FnOnce()) -> String {
    let line = written(&Format::new(LogFormat::Text, "service", coloured), work);
    assert!(line.starts_with('2') && line.find('Z') == Some(23), "{line}");
    line[24..].to_owned()
}

fn in_a_trace(work: impl FnOnce()) {
    let (trace, span) = (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128, 0x00f0_67aa_0ba9_02b7_u64);
    let span = SpanContext::new(trace.into(), span.into(), TraceFlags::SAMPLED, true, TraceState::NONE);
    let _attached = opentelemetry::Context::new().with_remote_span_context(span).attach();
    work();
}

struct Unshowable;

impl fmt::Debug for Unshowable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a \"beginning\" ")?;
        Err(fmt::Error)
    }
}

#[test]
fn the_keys_of_a_line_come_in_one_order_whatever_the_order_of_the_code() {
    let line = json(|| in_a_trace(|| tracing::info!(target: "here", count = 3, message = "sent", to = ?["a\n"])));
    let expected = r#"","level":"INFO","service":"the \"service\"","target":"here","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","sampled":true,"message":"sent","count":3,"to":"[\"a\\n\"]"}"#;
    assert_eq!(line, format!("{expected}\n"));
}

#[test]
fn every_kind_of_value_is_the_one_of_json() {
    let line = json(|| {
        let (least, most, none) = (i64::MIN, u64::MAX, f64::NAN);
        tracing::warn!(target: "here", least, most, ratio = 0.1, none, on = true, shown = %"a\tb", text = "\u{1b}");
    });
    let expected = r#"","level":"WARN","service":"the \"service\"","target":"here","least":-9223372036854775808,"most":18446744073709551615,"ratio":0.1,"none":null,"on":true,"shown":"a\tb","text":"\u001b"}"#;
    assert_eq!(line, format!("{expected}\n"));
}

#[test]
fn a_field_that_has_the_name_of_a_key_of_every_line_gets_an_underscore() {
    let line = json(|| {
        tracing::info!(
            target: "here", timestamp = 1, level = 2, service = 3, target = 4, trace_id = 5, span_id = 6, sampled = 7
        );
    });
    let expected = r#"","level":"INFO","service":"the \"service\"","target":"here","timestamp_":1,"level_":2,"service_":3,"target_":4,"trace_id_":5,"span_id_":6,"sampled_":7}"#;
    assert_eq!(line, format!("{expected}\n"));
}

#[test]
fn of_two_fields_with_one_key_the_last_stays() {
    let line = json(|| tracing::info!(target: "here", a = 1, level_ = 2, a = 3, level = 4, message = "this", "that"));
    let expected = r#"","level":"INFO","service":"the \"service\"","target":"here","message":"this","a":3,"level_":4}"#;
    assert_eq!(line, format!("{expected}\n"));
}

#[test]
fn a_value_that_cannot_be_shown_does_not_take_the_line_along() {
    let work = || tracing::error!(target: "here", value = ?Unshowable, after = 1, "done");
    let expected = r#"","level":"ERROR","service":"the \"service\"","target":"here","message":"done","value":"a \"beginning\" (cannot be shown)","after":1}"#;
    assert_eq!(json(work), format!("{expected}\n"));
    assert_eq!(text(false, work), " ERROR service: done value=a \"beginning\" (cannot be shown) after=1\n");
}

#[test]
fn a_value_that_panics_leaves_nothing_to_the_next_line() {
    struct Panics;
    impl fmt::Debug for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            std::panic::resume_unwind(Box::new(()))
        }
    }
    let line = json(|| {
        let panics = std::panic::catch_unwind(|| tracing::info!(value = ?Panics, "lost"));
        assert!(panics.is_err());
        tracing::info!(target: "here", "next");
    });
    assert_eq!(
        line,
        "\",\"level\":\"INFO\",\"service\":\"the \\\"service\\\"\",\"target\":\"here\",\"message\":\"next\"}\n"
    );
}

#[test]
fn a_person_reads_one_line_with_the_beginning_of_the_trace_id() {
    let line = text(false, || {
        in_a_trace(|| tracing::info!(attempt = 2, channel = "sms", reason = "no answer", empty = "", "sent to {}", 1));
    });
    assert_eq!(
        line,
        "  INFO service: sent to 1 attempt=2 channel=sms reason=\"no answer\" empty=\"\" trace=4bf92f35\n"
    );
}

#[test]
fn on_a_terminal_the_level_has_a_colour() {
    let line = text(true, || tracing::warn!("careful"));
    assert_eq!(line, " \u{1b}[33m WARN\u{1b}[0m service: careful\n");
}

#[test]
fn nothing_that_is_logged_ends_a_line_early_or_reaches_into_the_terminal() {
    let line = text(true, || tracing::info!(name = "a\u{9b}b", shown = %"\u{1b}[2J", "one\ntwo\r"));
    let expected = " \u{1b}[32m INFO\u{1b}[0m service: one\\ntwo\\r name=a\\u{9b}b shown=\\u{1b}[2J\n";
    assert_eq!(line, expected);
}

#[test]
fn lines_are_text_on_a_terminal_and_json_elsewhere_unless_said_otherwise() {
    let is_json = |wanted, terminal| matches!(Format::new(wanted, "service", terminal), Format::Json(_));
    assert!(is_json(LogFormat::Auto, false) && is_json(LogFormat::Json, false) && is_json(LogFormat::Json, true));
    assert!(!is_json(LogFormat::Auto, true) && !is_json(LogFormat::Text, true) && !is_json(LogFormat::Text, false));
}

#[test]
fn the_settings_of_lines_have_defaults_and_refuse_what_they_do_not_know() {
    let config: LogConfig = serde_json::from_str(r#"{"format": "text", "lines": 5}"#).unwrap();
    assert_eq!(config, LogConfig { format: LogFormat::Text, lines: 5, bytes: 8_388_608 });
    assert!(serde_json::from_str::<LogConfig>(r#"{"line": 5}"#).is_err());
}

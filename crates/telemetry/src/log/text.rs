use std::fmt;
use std::io::Write;
use std::time::SystemTime;

use opentelemetry::trace::SpanContext;
use tracing::Level;

use super::value::{MESSAGE, Value};

/// How many digits of a trace id are shown: enough for a person to find the trace.
const SHORT: usize = 8;

/// The message and its fields on one line.
#[derive(Debug)]
pub(crate) struct Text {
    service: String,
    coloured: bool,
}

impl Text {
    pub(super) fn new(service: &str, coloured: bool) -> Self {
        Self { service: Printable(service).to_string(), coloured }
    }

    pub(super) fn begin(&self, line: &mut Vec<u8>, time: SystemTime, level: Level) {
        let time = humantime::format_rfc3339_millis(time);
        let (colour, end) = if self.coloured { (colour(level), "\x1b[0m") } else { ("", "") };
        put(line, format_args!("{time} {colour}{:>5}{end} {}:", level.as_str(), self.service));
    }

    pub(super) fn field(line: &mut Vec<u8>, name: &str, value: Value<'_>) {
        match (name, value) {
            (MESSAGE, value) => put(line, format_args!(" {}", Printable(value))),
            (name, Value::Text(value)) if needs_quotes(value) => {
                put(line, format_args!(" {}={value:?}", Printable(name)));
            }
            (name, value) => put(line, format_args!(" {}={}", Printable(name), Printable(value))),
        }
    }

    pub(super) fn trace(line: &mut Vec<u8>, span: &SpanContext) {
        put(line, format_args!(" trace={:.SHORT$}", span.trace_id().to_string()));
    }

    pub(super) fn end(line: &mut Vec<u8>) {
        line.push(b'\n');
    }
}

/// The escape sequence that switches a terminal to the level's colour.
fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

fn needs_quotes(value: &str) -> bool {
    value.is_empty() || value.contains(|character: char| character.is_whitespace() || "\"=".contains(character))
}

fn put(line: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _ = line.write_fmt(text);
}

/// Escapes control characters, which could end the line or change the terminal.
struct Printable<T>(T);

impl<T: fmt::Display> fmt::Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escaped<'a, 'b>(&'a mut fmt::Formatter<'b>);
        impl fmt::Write for Escaped<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                let mut rest = text;
                while let Some((at, control)) = rest.char_indices().find(|(_, character)| character.is_control()) {
                    self.0.write_str(&rest[..at])?;
                    write!(self.0, "{}", control.escape_default())?;
                    rest = &rest[at + control.len_utf8()..];
                }
                self.0.write_str(rest)
            }
        }
        fmt::Write::write_fmt(&mut Escaped(f), format_args!("{}", self.0))
    }
}

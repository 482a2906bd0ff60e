use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use tracing::{Event, Level};

use super::json::Json;
use super::text::Text;
use super::value::message_first;
use super::{LogFormat, value};

/// How a line looks.
#[derive(Debug, Clone)]
pub(crate) enum Format {
    Json(Arc<Json>),
    Text(Arc<Text>),
}

/// The current time, at least the beginning of 1970: an earlier time cannot be formatted.
fn now() -> SystemTime {
    SystemTime::now().max(UNIX_EPOCH)
}

impl Format {
    pub(crate) fn new(wanted: LogFormat, service: &str, terminal: bool) -> Self {
        match (wanted, terminal) {
            (LogFormat::Json, _) | (LogFormat::Auto, false) => Self::Json(Arc::new(Json::new(service))),
            (LogFormat::Text, _) | (LogFormat::Auto, true) => Self::Text(Arc::new(Text::new(service, terminal))),
        }
    }

    /// Adds an event as a line, with the ids of the trace it happens in.
    pub(super) fn event(&self, line: &mut Vec<u8>, event: &Event<'_>) {
        let time = now();
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let trace = |with: &mut dyn FnMut(&SpanContext)| {
            Context::map_current(|context| {
                let span = context.span();
                let span = span.span_context();
                if span.is_valid() {
                    with(span);
                }
            });
        };
        match self {
            Self::Json(json) => {
                json.begin(line, time, level, target);
                trace(&mut |span| Json::trace(line, span));
                let fields = event.metadata().fields();
                message_first(event, |field, value| Json::field(line, fields, field, value));
                Json::end(line);
            }
            Self::Text(text) => {
                text.begin(line, time, level);
                message_first(event, |field, value| Text::field(line, field.name(), value));
                trace(&mut |span| Text::trace(line, span));
                Text::end(line);
            }
        }
    }

    /// Adds the line that says how many lines were dropped.
    pub(super) fn dropped(&self, line: &mut Vec<u8>, lines: u64) {
        const MESSAGE: value::Value<'static> = value::Value::Text("log lines were dropped");
        let time = now();
        match self {
            Self::Json(json) => {
                json.begin(line, time, Level::WARN, module_path!());
                Json::pair(line, value::MESSAGE, MESSAGE);
                Json::pair(line, "lines", value::Value::Unsigned(lines));
                Json::end(line);
            }
            Self::Text(text) => {
                text.begin(line, time, Level::WARN);
                Text::field(line, value::MESSAGE, MESSAGE);
                Text::field(line, "lines", value::Value::Unsigned(lines));
                Text::end(line);
            }
        }
    }
}

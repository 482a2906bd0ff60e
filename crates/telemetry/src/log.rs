//! One JSON object a line, with the ids of the trace it was written in.

use std::fmt;

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Families of libraries whose detailed logs show what goes over the wire: bodies, addresses,
/// parameters. `hyper` stands for `hyper_util` too. They are held at warnings whatever `RUST_LOG` asks for.
const WIRE: [&str; 9] = ["axum", "h2", "hyper", "lettre", "reqwest", "rustls", "sqlx", "tonic", "tower"];

/// What the exporter says of every single batch that fails. An outage of the collector is logged where
/// it begins and where it ends.
const EVERY_BATCH: [&str; 3] =
    ["Export.Failed.Exhausted", "Export.Failed.NonRetryable", "BatchSpanProcessor.ExportError"];

/// Whether a line may be written at all.
pub(crate) fn permitted(metadata: &Metadata<'_>) -> bool {
    let family = metadata.target().split([':', '_']).next().unwrap_or_default();
    (*metadata.level() <= Level::WARN || !WIRE.contains(&family)) && !EVERY_BATCH.contains(&metadata.name())
}

/// Formats an event as one line of JSON.
pub(crate) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut time = String::with_capacity(32);
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut line = Map::new();
        line.insert("timestamp".into(), time.into());
        line.insert("level".into(), event.metadata().level().as_str().into());
        line.insert("target".into(), event.metadata().target().into());
        Context::map_current(|context| {
            let span = context.span();
            let span = span.span_context();
            if span.is_valid() {
                line.insert("trace_id".into(), span.trace_id().to_string().into());
                line.insert("span_id".into(), span.span_id().to_string().into());
                line.insert("sampled".into(), span.is_sampled().into());
            }
        });
        event.record(&mut Fields(&mut line));
        writeln!(writer, "{}", Value::Object(line))
    }
}

struct Fields<'a>(&'a mut Map<String, Value>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), json!(value));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
}

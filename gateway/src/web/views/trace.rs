use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::header::CONTENT_TYPE;
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::{Deserialize, Serialize};
use traces::Trace;
use traces::explain::explain;

use crate::problem::Problem;
use crate::web::refusal::Refusal;
use crate::web::{Visit, Web};

#[derive(Deserialize)]
pub(in crate::web) struct Wanted {
    /// The text that was pasted: a trace id, or a text or an address that contains one.
    #[serde(default)]
    id: String,
}

/// Shows a field for the id of a trace, and redirects to the trace.
pub(in crate::web) async fn find(visit: Visit, wanted: Query<Wanted>) -> Result<Response, Refusal> {
    visit.nurse()?;
    if let Some(id) = trace_id(&wanted.id) {
        return Ok(Redirect::to(&format!("/traces/{id}")).into_response());
    }
    let content = context! { trace => (), is_unreadable => !wanted.id.trim().is_empty() };
    Ok(visit.page("trace.html", content)?.into_response())
}

/// The first sequence of exactly 32 hexadecimal digits in a text.
fn trace_id(text: &str) -> Option<String> {
    let words = text.split(|character: char| !character.is_ascii_hexdigit());
    words.filter(|word| word.len() == 32).map(str::to_lowercase).next()
}

/// What is shown of a trace, beside its picture.
#[derive(Serialize)]
struct Findings {
    verdict: String,
    details: String,
    spans: usize,
    lines: Vec<Line>,
}

/// A log message or a failure of a service.
#[derive(Serialize)]
struct Line {
    /// Time since the start of the trace.
    milliseconds: f64,
    service: String,
    span: String,
    text: String,
}

/// Shows a trace: its failures and its spans. A nurse may open every trace whose id is known to her, such as one that a
/// patient has told her: traces contain no patient data.
pub(in crate::web) async fn show(
    State(web): State<Arc<Web>>,
    visit: Visit,
    id: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<Html<String>, Refusal> {
    visit.nurse()?;
    let (id, trace) = ask(&web, id).await?;
    let findings = (!trace.is_empty()).then(|| Findings::of(&trace));
    let content = context! {
        trace => context! { id, findings => Value::from(Serde(findings)) },
        is_unreadable => false,
    };
    Ok(visit.page("trace.html", content)?)
}

/// The picture of a trace.
pub(in crate::web) async fn waterfall(
    State(web): State<Arc<Web>>,
    visit: Visit,
    id: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<Response, Refusal> {
    visit.nurse()?;
    let (_, trace) = ask(&web, id).await?;
    let explanation = explain(&trace);
    let remark = explanation.guilty.as_ref().map(|place| (&*place.span_id, &*explanation.verdict));
    Ok(([(CONTENT_TYPE, "image/svg+xml")], traces::waterfall(&trace, remark)).into_response())
}

async fn ask(
    web: &Web,
    id: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<(String, Trace), Problem> {
    let Path(id) = id.map_err(|_| Problem::NOT_FOUND)?;
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let jaeger = web.jaeger.as_ref().filter(|_| is_id).ok_or(Problem::NOT_FOUND)?;
    let trace = jaeger.trace(&id.to_lowercase()).await?;
    Ok((id, trace))
}

impl Findings {
    fn of(trace: &Trace) -> Self {
        let explanation = explain(trace);
        let start = trace.spans.iter().map(|span| span.start).min().unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "a trace is not so long")]
        let since = |time: u64| (time.saturating_sub(start) / 1000) as f64 / 1e3;
        let events = trace.spans.iter().flat_map(|span| span.events.iter().map(move |event| (span, event)));
        let mut lines: Vec<_> = events
            .map(|(span, event)| Line {
                milliseconds: since(event.time),
                service: span.service.clone(),
                span: span.name.clone(),
                text: event.name.clone(),
            })
            .chain(trace.spans.iter().filter(|span| span.status.is_error()).map(|span| Line {
                milliseconds: since(span.end),
                service: span.service.clone(),
                span: span.name.clone(),
                text: span.attributes.get("error.type").and_then(|kind| kind.as_str()).unwrap_or("failed").to_owned(),
            }))
            .collect();
        lines.sort_by(|a, b| a.milliseconds.total_cmp(&b.milliseconds));
        Self { details: explanation.to_string(), verdict: explanation.verdict, spans: trace.spans.len(), lines }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_found_in_what_people_paste() {
        const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        for text in [
            ID.to_owned(),
            format!("  {ID}\n"),
            ID.to_uppercase(),
            format!("http://127.0.0.1:16686/trace/{ID}"),
            format!("00-{ID}-00f067aa0ba902b7-01"),
            format!(r#"{{"trace_id":"{ID}","status":422}}"#),
        ] {
            assert_eq!(trace_id(&text).as_deref(), Some(ID), "{text}");
        }
        for text in ["", "4bf9", "no id", &format!("{ID}0")] {
            assert_eq!(trace_id(text), None, "{text}");
        }
    }
}

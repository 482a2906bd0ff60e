use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::Html;
use chrono::{DateTime, SecondsFormat, Utc};
use http::request::Parts;
use minijinja::{Value, context};
use proto::domain::{Principal, Role};
use service_kit::error::Reason;
use telemetry::TraceContext;

use super::Web;
use super::language::Language;
use super::refusal::Refusal;
use crate::caller::Anyone;
use crate::extract::Languages;
use crate::problem::Problem;

/// Somebody who looks at a page, signed in or not.
pub(crate) struct Visit {
    principal: Option<Principal>,
    language: &'static Language,
    path: String,
    received: DateTime<Utc>,
    web: Arc<Web>,
}

impl FromRequestParts<Arc<Web>> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Problem> {
        let visit = Self::anonymous(parts, web);
        let principal = match Anyone::of(parts, &web.shared).await {
            Ok(Anyone(principal)) => Some(principal),
            Err(problem)
                if problem == Problem::UNAUTHENTICATED || problem == Problem::because(Reason::InvalidToken) =>
            {
                None
            }
            Err(problem) => return Err(problem),
        };
        Ok(Self { principal, ..visit })
    }
}

impl Visit {
    /// A visit of a page for which nobody has to be signed in.
    pub(crate) fn anonymous(parts: &Parts, web: &Arc<Web>) -> Self {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let language = Language::of(&web.cookies, &parts.headers);
        Self { principal: None, language, path, received: Utc::now(), web: Arc::clone(web) }
    }

    /// The language of the page, to request contents in it.
    pub(super) fn languages(&self) -> Languages {
        Languages(vec![self.language.code.to_owned()])
    }

    /// The person who is signed in, in any role.
    pub(super) fn anyone(&self) -> Result<Principal, Refusal> {
        self.principal.clone().ok_or_else(|| Refusal::SignIn(self.path.clone()))
    }

    pub(super) fn patient(&self) -> Result<Principal, Refusal> {
        self.with_role(Role::Patient)
    }

    pub(super) fn nurse(&self) -> Result<Principal, Refusal> {
        self.with_role(Role::Nurse)
    }

    fn with_role(&self, role: Role) -> Result<Principal, Refusal> {
        let principal = self.anyone()?;
        if principal.role() == role { Ok(principal) } else { Err(Problem::because(Reason::WrongRole).into()) }
    }

    /// The page of a template, with `content` and what every page has.
    pub(crate) fn page(&self, template: &str, content: Value) -> Result<Html<String>, Problem> {
        let trace_id = TraceContext::current().trace_id().to_string();
        let now = Utc::now();
        let everywhere = context! {
            language => self.language.code,
            words => self.language.words(),
            path => &*self.path,
            role => self.principal.as_ref().map(|principal| match principal.role() {
                Role::Patient => "patient",
                Role::Nurse => "nurse",
                Role::Unspecified => "",
            }),
            // From these two times a script computes the offset between its clock and the server's.
            received => self.received.timestamp_millis(),
            answered => now.timestamp_millis(),
            now => now.to_rfc3339_opts(SecondsFormat::Micros, true),
            owner => self.principal.as_ref().map(|principal| &*principal.person_id),
            trace_url => self.web.shared.trace_url.as_deref().map(|url| format!("{url}{trace_id}")),
            shows_traces => self.web.jaeger.is_some(),
            trace_id,
        };
        let template = self.web.templates.get_template(template).map_err(|_| Problem::INTERNAL)?;
        let page = template.render(context! { ..content, ..everywhere });
        page.map(Html).map_err(|_| Problem::INTERNAL)
    }
}

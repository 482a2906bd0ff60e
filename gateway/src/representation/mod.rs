//! Types that several endpoints show or accept.

mod answers;
mod disposition;

mod notification_page;
mod questionnaire;
mod report_page;
mod report_tag;
mod review_outcome;
mod time;
mod tokens;
mod trace_reference;
mod urgent_revision;

pub(crate) use answers::Answers;
pub(crate) use disposition::Disposition;
pub(crate) use notification_page::NotificationPage;
pub(crate) use questionnaire::{QuestionnaireReference, TitledQuestionnaire};
pub(crate) use report_page::ReportPage;
pub(crate) use report_tag::report_tag;
pub(crate) use review_outcome::ReviewOutcome;
pub(crate) use time::{captured, rfc3339};
pub(crate) use tokens::Tokens;
pub(crate) use trace_reference::TraceReference;
pub(crate) use urgent_revision::UrgentRevision;

//! The trace contract: the tree of one submission, and the required attributes of every span.

mod attributes;
mod conventions;

use crate::trace::{Kind, Shape, span};
pub use conventions::{check_attributes, check_submission, unknown_attributes};

const GATEWAY: &str = "gateway";
const USER: &str = "user-svc";
const EPRO: &str = "epro-svc";
const DATA: &str = "data-svc";
const NOTIFY: &str = "notify-svc";

/// The complete trace of one `POST /v1/reports`, including the delivery to `nurses` nurses of the site.
pub fn submit_report(nurses: usize) -> Shape {
    span(GATEWAY, "POST /v1/reports", Kind::Server).child(authenticate()).child(call(
        GATEWAY,
        EPRO,
        "epro.report.v1.ReportService/SubmitReport",
        |submit| {
            submit
                .child(data_call(EPRO, "GetAssignment", &[GET_ASSIGNMENT]))
                .child(span(EPRO, "validate report", Kind::Internal))
                .child(save_report())
                .child(span(EPRO, "hint notification", Kind::Producer).child(notify(nurses)))
        },
    ))
}

const GET_ASSIGNMENT: &str = "SELECT clinical.assignment clinical.enrolment clinical.study \
                              clinical.questionnaire_version clinical.fill_window clinical.idempotency clinical.report \
                              SELECT clinical.report SELECT clinical.fill_window";

/// Stores a report in one transaction.
fn save_report() -> Shape {
    let statement = |summary| span(DATA, summary, Kind::Client);
    call(EPRO, DATA, "epro.data.v1.DataService/SaveReport", |server| {
        server
            .children(database(
                DATA,
                &[
                    "BEGIN",
                    "INSERT clinical.idempotency SELECT clinical.assignment clinical.enrolment clinical.study \
                     SELECT clinical.report SELECT clinical.alert",
                    "INSERT clinical.report",
                    "INSERT clinical.audit_chain INSERT clinical.audit_event",
                    "COMMIT",
                ],
            ))
            .child(span(DATA, "create notification", Kind::Producer).child(statement(
                "INSERT clinical.notification SELECT clinical.enrolment clinical.study SELECT clinical.report \
                 SELECT clinical.notification clinical.report SELECT clinical.enrolment clinical.site",
            )))
    })
}

/// One statement stores the attempt and updates the state of its notification.
const RECORD_DELIVERY: [&str; 1] = ["INSERT clinical.delivery_attempt UPDATE clinical.notification"];

/// The gateway authenticates the caller.
pub fn authenticate() -> Shape {
    call(GATEWAY, USER, "epro.user.v1.UserService/Authenticate", |server| {
        server.children(database(USER, &["SELECT identity.session identity.person identity.site_membership SELECT identity.site_membership identity.person"]))
    })
}

fn notify(nurses: usize) -> Shape {
    call(EPRO, NOTIFY, "epro.notify.v1.NotifyService/Notify", |server| server.child(deliver_notification(nurses)))
}

/// The first delivery of a report's notifications: a message on each channel to each nurse.
pub fn deliver_notification(nurses: usize) -> Shape {
    deliver_late(nurses).child(data_call(
        NOTIFY,
        "ClaimNotification",
        &["UPDATE clinical.notification SELECT clinical.notification SELECT clinical.site"],
    ))
}

/// A delivery by the sweep: its hint was lost, or it is a later attempt. The sweep claims notifications in batches, and
/// that call is not part of this trace.
pub fn deliver_late(nurses: usize) -> Shape {
    let channel = |name, request| span(NOTIFY, name, Kind::Internal).child(span(NOTIFY, request, Kind::Client));
    span(NOTIFY, "deliver notification", Kind::Consumer)
        .child(call(NOTIFY, USER, "epro.user.v1.UserService/ListSiteContacts", |server| {
            server.children(database(USER, &["SELECT identity.contact identity.person identity.site_membership"]))
        }))
        .times(nurses, &channel("send sms", "POST /2010-04-01/Accounts/{AccountSid}/Messages.json"))
        .times(nurses, &channel("send email", "SMTP submit"))
        .times(2 * nurses, &data_call(NOTIFY, "RecordDelivery", &RECORD_DELIVERY))
}

fn call(client: &str, server: &str, method: &str, within: impl FnOnce(Shape) -> Shape) -> Shape {
    span(client, method, Kind::Client).child(within(span(server, method, Kind::Server)))
}

fn data_call(client: &str, method: &str, statements: &[&str]) -> Shape {
    call(client, DATA, &format!("epro.data.v1.DataService/{method}"), |server| {
        server.children(database(DATA, statements))
    })
}

/// A pool connection and the statements on it.
fn database(service: &str, statements: &[&str]) -> Vec<Shape> {
    let acquire = span(service, "acquire connection", Kind::Internal);
    std::iter::once(acquire).chain(statements.iter().map(|summary| span(service, summary, Kind::Client))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::conventions::{RESOURCE, check_span};
    use super::*;
    use crate::trace::diff;
    use crate::trace::verify::{Expectation, Margins, Rule, verify};
    use crate::trace::{Span, Trace};
    use serde_json::json;

    fn grpc_server() -> Span {
        let method = "epro.user.v1.UserService/Authenticate";
        let attributes = [("rpc.system.name", "grpc"), ("rpc.method", method), ("rpc.status_code", "OK")];
        Span {
            trace_id: "01".repeat(16),
            span_id: "02".repeat(8),
            service: USER.to_owned(),
            name: method.to_owned(),
            kind: Kind::Server,
            attributes: attributes.map(|(name, value)| (name.to_owned(), json!(value))).into(),
            resource: RESOURCE.map(|name| (name.to_owned(), json!("x"))).into(),
            ..Span::default()
        }
    }

    #[test]
    fn every_nurse_adds_two_messages_and_two_recorded_attempts() {
        let size = |nurses| submit_report(nurses).size();
        let message = 2;
        let recorded_attempt = 2 + 1 + RECORD_DELIVERY.len();
        assert_eq!(size(1) - size(0), 2 * (message + recorded_attempt));
        assert_eq!(size(3) - size(0), 3 * (size(1) - size(0)));
    }

    #[test]
    fn a_tree_with_a_missing_span_is_not_the_contract() {
        let diff = diff(&submit_report(2), &[submit_report(1)]).unwrap_or_default();
        let missing: Vec<&str> = diff.lines().filter(|line| line.contains(" - ")).collect();
        assert_eq!(missing.len(), submit_report(2).size() - submit_report(1).size(), "{diff}");
        assert!(missing.iter().any(|line| line.ends_with("- notify-svc  send sms  INTERNAL")), "{diff}");
    }

    /// The tree as spans.
    fn spans(shape: &Shape, parent: Option<&str>, all: &mut Vec<Span>) {
        let span_id = (all.len() + 1).to_string();
        let Shape { service, name, .. } = shape.clone();
        let parent_span_id = parent.map(ToOwned::to_owned);
        all.push(Span { span_id: span_id.clone(), parent_span_id, service, name, kind: shape.kind, ..Span::default() });
        shape.within().iter().for_each(|child| spans(child, Some(&span_id), all));
    }

    /// The way from the root to each span of a tree that was printed.
    fn paths(printed: &str) -> BTreeSet<Vec<String>> {
        let mut lines = printed.lines().skip_while(|line| !line.starts_with("SERVICE"));
        let header = lines.next().unwrap();
        let [span, kind, start] = ["SPAN", "KIND", "START"].map(|column| header.find(column).unwrap());
        let (mut paths, mut above) = (BTreeSet::new(), Vec::<String>::new());
        for line in lines.take_while(|line| !line.starts_with("```")) {
            let line: Vec<char> = line.chars().collect();
            let cell = |from: usize, to: usize| line[from..to].iter().collect::<String>().trim_end().to_owned();
            let tree = cell(span, kind);
            let name = tree.trim_start_matches(['│', '├', '└', '─', ' ']);
            above.truncate((tree.chars().count() - name.chars().count()) / 4);
            above.push(format!("{} {name} {}", cell(0, span), cell(kind, start)));
            paths.insert(above.clone());
        }
        paths
    }

    /// Which are as often as nurses are told is said below it.
    #[test]
    fn the_tree_of_the_readme_is_the_contract() {
        let mut all = Vec::new();
        spans(&submit_report(1), None, &mut all);
        let contract = paths(&Trace::new(all).to_string());
        assert_eq!(paths(include_str!("../../../README.md")), contract);
    }

    #[test]
    fn the_file_of_expected_traces_expects_the_contract() -> anyhow::Result<()> {
        let expectation: Expectation = include_str!("../../../e2e/traces.expect").parse()?;
        for nurses in [1, 3] {
            let mut all = Vec::new();
            spans(&submit_report(nurses), None, &mut all);
            all[0].attributes.insert("http.response.status_code".to_owned(), json!(201));
            let judge = |all: Vec<Span>| verify(&[Trace::new(all)], Margins::default(), Some(&expectation));
            assert_eq!(judge(all.clone()).violations(Rule::Expectation).count(), 0, "{}", judge(all));
            // The last one is a statement that records an attempt.
            all.pop();
            assert_eq!(judge(all).violations(Rule::Expectation).count(), 1);
        }
        Ok(())
    }

    #[test]
    fn a_complete_rpc_span_breaks_no_convention() {
        assert_eq!(check_span(&grpc_server()), Vec::<String>::new());
    }

    #[test]
    fn missing_replaced_and_wrong_attributes_are_all_reported() {
        let mut span = grpc_server();
        span.attributes.remove("rpc.status_code");
        span.attributes.insert("rpc.system".to_owned(), json!("grpc"));
        span.attributes.insert("rpc.method".to_owned(), json!("Authenticate"));
        span.resource.remove("service.version");
        let problems = check_span(&span);
        assert_eq!(problems.len(), 4, "{problems:#?}");
    }
}

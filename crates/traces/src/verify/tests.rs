use serde_json::json;

use super::*;
use crate::{Kind, Span, Status};

const MS: u64 = 1_000_000;

/// A call from one service to another with a statement: root, call, answer, statement.
fn chain(trace_id: &str) -> Vec<Span> {
    let span = |id: &str, parent: Option<&str>, service: &str, name: &str, kind, start: u64, end: u64| Span {
        trace_id: trace_id.to_owned(),
        span_id: format!("{trace_id}{id}"),
        parent_span_id: parent.map(|parent| format!("{trace_id}{parent}")),
        service: service.to_owned(),
        name: name.to_owned(),
        kind,
        start: start * MS,
        end: end * MS,
        ..Span::default()
    };
    let mut spans = vec![
        span("1", None, "shop", "POST /orders", Kind::Server, 1_000, 1_100),
        span("2", Some("1"), "shop", "orders.v1.Orders/Place", Kind::Client, 1_010, 1_090),
        span("3", Some("2"), "orders", "orders.v1.Orders/Place", Kind::Server, 1_020, 1_080),
        span("4", Some("3"), "orders", "INSERT orders", Kind::Client, 1_030, 1_060),
    ];
    spans[0].attributes.insert("http.response.status_code".to_owned(), json!(201));
    spans[3].attributes.insert("db.system.name".to_owned(), json!("postgresql"));
    spans
}

/// The violations of a changed trace that is checked together with a complete one.
fn broken(change: impl FnOnce(&mut Vec<Span>)) -> Vec<Violation> {
    let mut spans = chain("b");
    change(&mut spans);
    let traces = [Trace::new(chain("a")), Trace::new(spans)];
    let report = verify(&traces, Margins::default(), None);
    assert_eq!(report.traces[0], []);
    report.traces.into_iter().nth(1).unwrap()
}

fn rules(violations: &[Violation]) -> Vec<Rule> {
    violations.iter().map(|violation| violation.rule).collect()
}

#[test]
fn a_whole_trace_breaks_no_rule() {
    assert_eq!(broken(|_| {}), []);
}

#[test]
fn a_chain_that_is_broken_turns_red() {
    let violations = broken(|spans| drop(spans.remove(1)));
    assert_eq!(rules(&violations), [Rule::Parent]);
    assert_eq!(violations[0].span, "orders orders.v1.Orders/Place SERVER");
    let report = verify(&[Trace::new(chain("b").split_off(1))], Margins::default(), None);
    assert!(!report.is_good());
    assert_eq!(rules(&report.traces[0]), [Rule::Parent, Rule::Root]);
}

#[test]
fn a_span_that_begins_a_trace_of_its_own_is_another_root() {
    assert_eq!(rules(&broken(|spans| spans[2].parent_span_id = None)), [Rule::OneTrace, Rule::Kinds]);
}

#[test]
fn a_parent_in_another_trace_is_a_cross_link() {
    let violations = broken(|spans| spans[1].parent_span_id = Some("a1".to_owned()));
    assert_eq!(rules(&violations), [Rule::OneTrace]);
    assert!(violations[0].detail.ends_with("is in the trace a"), "{violations:?}");
    assert_eq!(rules(&broken(|spans| spans[1].parent_span_id = Some("b3".to_owned()))), [Rule::OneTrace]);
}

#[test]
fn a_server_that_no_call_has_called_is_unpaired() {
    assert_eq!(rules(&broken(|spans| spans[1].kind = Kind::Internal)), [Rule::Kinds]);
}

#[test]
fn a_call_whose_answer_has_left_no_span_is_unpaired_unless_it_failed() {
    assert_eq!(rules(&broken(|spans| spans.truncate(2))), [Rule::Kinds]);
    let failed = broken(|spans| {
        spans.truncate(2);
        spans[1].status = Status::Error(String::new());
    });
    assert_eq!(failed, []);
}

#[test]
fn times_must_nest_but_for_clocks_and_for_what_nobody_waits_for() {
    let end = |at: usize, end: u64| move |spans: &mut Vec<Span>| spans[at].end = end * MS;
    let start = |at: usize, start: u64| move |spans: &mut Vec<Span>| spans[at].start = start * MS;
    let late = [Rule::Times];
    assert_eq!(rules(&broken(end(3, 1_085))), late, "one clock");
    assert_eq!(rules(&broken(end(2, 1_130))), [], "two clocks may differ by 50 ms");
    assert_eq!(rules(&broken(end(2, 1_150))), late);
    assert_eq!(rules(&broken(start(3, 1_010))), late);
    assert_eq!(rules(&broken(start(1, 1_200))), [Rule::Times; 3], "it, its end and its child");
    for kind in [Kind::Internal, Kind::Producer, Kind::Consumer] {
        let spawned = broken(|spans| {
            spans[3].kind = kind;
            spans[3].end = 5_000 * MS;
        });
        assert_eq!(spawned, [], "{kind}");
    }
    let given_up = broken(|spans| {
        spans[1].status = Status::Error("DEADLINE_EXCEEDED".to_owned());
        spans[2].end = 1_500 * MS;
    });
    assert_eq!(given_up, []);
}

#[test]
fn remarks_of_the_backend_are_reported() {
    let violations = broken(|spans| spans[2].warnings.push("clock skew".to_owned()));
    assert_eq!(rules(&violations), [Rule::Warnings]);
}

#[test]
fn the_report_counts_traces_and_shows_the_first_violations() {
    let traces: Vec<_> = (0..5).map(|at| Trace::new(chain(&at.to_string()).split_off(usize::from(at > 0)))).collect();
    let report = verify(&traces, Margins::default(), None);
    let text = report.to_string();
    assert!(text.contains("whole               1"), "{text}");
    assert!(text.contains("orphaned            4") && text.contains("1 more"), "{text}");
    let json = report.to_json();
    assert_eq!((&json["traces"], &json["whole"], &json["broken"]["rootless"]), (&json!(5), &json!(1), &json!(4)));
    assert_eq!(json["violations"].as_array().unwrap().len(), 8);
}

const EXPECTED: &str = "
# An order that was taken.
shop  POST /orders  SERVER  [http.response.status_code=201]
  shop  orders.v1.Orders/*  CLIENT
    orders  orders.v1.Orders/Place  SERVER
      orders  INSERT *  CLIENT  {1..2}
      orders  audit  INTERNAL  {0..1}
";

/// The differences between an expectation and the changed chain.
fn unexpected(expectation: &str, change: impl FnOnce(&mut Vec<Span>)) -> Vec<String> {
    let mut spans = chain("a");
    change(&mut spans);
    let expectation: Expectation = expectation.parse().unwrap();
    let report = verify(&[Trace::new(spans)], Margins::default(), Some(&expectation));
    report.violations(Rule::Expectation).map(|violation| format!("{}: {}", violation.span, violation.detail)).collect()
}

fn again(spans: &mut Vec<Span>, id: &str, name: &str) {
    let mut span = Span { span_id: id.to_owned(), name: name.to_owned(), ..spans[3].clone() };
    span.start += 1;
    spans.push(span);
}

#[test]
fn a_trace_that_is_as_expected_breaks_no_rule() {
    let none: [String; 0] = [];
    assert_eq!(unexpected(EXPECTED, |_| {}), none);
    assert_eq!(unexpected(EXPECTED, |spans| again(spans, "x", "INSERT more")), none);
    let refused = |spans: &mut Vec<Span>| {
        spans[0].attributes.insert("http.response.status_code".to_owned(), json!(422));
        spans.truncate(1);
    };
    assert_eq!(unexpected(EXPECTED, refused), none, "not judged");
}

#[test]
fn what_is_missing_and_what_is_too_much_are_told() {
    assert_eq!(
        unexpected(EXPECTED, |spans| spans.truncate(3)),
        ["orders orders.v1.Orders/Place SERVER: below it orders INSERT * CLIENT is there 0 times, not 1"]
    );
    let more = |spans: &mut Vec<Span>| {
        again(spans, "x", "INSERT x");
        again(spans, "y", "INSERT y");
        again(spans, "z", "SELECT z");
    };
    let not = "CLIENT: it is not expected here";
    assert_eq!(unexpected(EXPECTED, more), [format!("orders INSERT y {not}"), format!("orders SELECT z {not}")]);
    assert_eq!(unexpected(&format!("{EXPECTED}      ...\n"), more), [""; 0]);
}

#[test]
fn one_of_several_trees_for_a_root_is_enough() {
    let short = "shop  POST /orders  SERVER\n";
    assert_eq!(unexpected(&format!("{EXPECTED}\n{short}"), |spans| spans.truncate(1)), [""; 0]);
}

#[test]
fn a_line_that_is_no_span_is_an_error_with_its_number() {
    for (text, expected) in [
        ("shop  x", "line 1: a span is a service, a name and a kind"),
        ("\nshop  x  SPAN", "line 2: SPAN is no kind"),
        ("  shop  x  SERVER", "line 1: it is indented"),
        ("...", "line 1: `...` is below nothing"),
        ("shop  x  SERVER  {2..1}", "line 1: {2..1} is no number of times"),
        ("shop  x  SERVER  often", "line 1: often is neither"),
    ] {
        let error = text.parse::<Expectation>().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

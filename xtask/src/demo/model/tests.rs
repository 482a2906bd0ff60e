use serde_json::json;
use testkit::trace::{Kind, Span, Status};

use super::super::row::Mood;
use super::*;

/// 2026-11-28 14:03:00 UTC, in nanoseconds since the Unix epoch.
pub(in crate::demo) const BEGUN: u64 = 1_795_874_580_000_000_000;

/// A model with two failures to choose from, in the time zone +01:00.
pub(in crate::demo) fn model(size: (u16, u16)) -> Model {
    let zone = FixedOffset::east_opt(3600).unwrap();
    let mut scenarios = Scenario::all(&Scenario::folder()).unwrap();
    scenarios.retain(|scenario| ["panic-in-epro-svc", "slow-login-check"].contains(&&*scenario.name));
    Model::new("http://127.0.0.1:8080".to_owned(), scenarios, zone, size)
}

fn span(id: &str, number: u64, parent: Option<u64>, service: &str, name: &str, kind: Kind) -> Span {
    Span {
        trace_id: id.to_owned(),
        span_id: format!("{number:016x}"),
        parent_span_id: parent.map(|parent| format!("{parent:016x}")),
        service: service.to_owned(),
        name: name.to_owned(),
        kind,
        start: BEGUN + number * 1_000_000,
        end: BEGUN + 40_000_000 - number * 1_000_000,
        ..Span::default()
    }
}

/// A request of 40 ms that the gateway answers after a call to epro-svc.
pub(in crate::demo) fn answered(id: &str, status: i64) -> Trace {
    let mut request = span(id, 0, None, "gateway", "POST /v1/reports", Kind::Server);
    request.attributes.insert("http.request.method".to_owned(), json!("POST"));
    request.attributes.insert("http.response.status_code".to_owned(), json!(status));
    let method = "epro.report.v1.ReportService/SubmitReport";
    let mut call = span(id, 1, Some(0), "gateway", method, Kind::Client);
    let mut handler = span(id, 2, Some(1), "epro-svc", method, Kind::Server);
    if status >= 500 {
        for failed in [&mut request, &mut call, &mut handler] {
            failed.status = Status::Error(String::new());
        }
        for rpc in [&mut call, &mut handler] {
            rpc.attributes.insert("rpc.response.status_code".to_owned(), json!("INTERNAL"));
        }
    }
    Trace::new(vec![request, call, handler])
}

pub(in crate::demo) fn id(number: usize) -> String {
    format!("{number:08x}{:024x}", 0)
}

fn sent(model: &mut Model, number: usize, sender: &str) {
    model.update(Event::Sent { id: id(number), sender: sender.to_owned(), at: BEGUN });
}

fn ids(model: &Model) -> Vec<&str> {
    model.rows.iter().map(|row| &*row.id).collect()
}

#[test]
fn traces_are_listed_newest_first_and_the_oldest_ones_are_forgotten() {
    let mut model = model((80, 12));
    model.update(Event::Traces((0..=MOST).map(|number| answered(&id(number), 201)).collect()));
    assert_eq!(model.rows.len(), MOST);
    assert_eq!((model.rows[0].id.clone(), model.rows[MOST - 1].id.clone()), (id(MOST), id(1)));
}

#[test]
fn a_trace_grows_until_nothing_of_it_has_come_for_a_while() {
    let mut model = model((80, 12));
    let whole = answered(&id(1), 201);
    model.update(Event::Traces(vec![Trace::new(whole.spans[..2].to_vec())]));
    model.update(Event::Time(Duration::from_secs(1)));
    model.update(Event::Traces(vec![whole]));
    model.update(Event::Time(Duration::from_millis(2900)));
    assert_eq!((model.rows.len(), model.rows[0].mood(model.now)), (1, Mood::Growing));
    model.update(Event::Time(Duration::from_secs(3)));
    assert_eq!((model.rows[0].trace.spans.len(), model.rows[0].mood(model.now)), (3, Mood::Well));
}

#[test]
fn what_we_send_is_listed_at_once_and_grows_until_it_is_answered() {
    let mut model = model((80, 12));
    sent(&mut model, 1, "report");
    assert_eq!((&*model.rows[0].entry(), &*model.note), ("(no span)", "report: sent"));
    model.update(Event::Traces(vec![answered(&id(1), 500)]));
    model.update(Event::Time(Duration::from_mins(1)));
    assert_eq!((&*model.rows[0].entry(), model.rows[0].mood(model.now)), ("POST /v1/reports 500", Mood::Growing));
    model.update(Event::Over { id: id(1), end: Ok(Some(500)) });
    assert_eq!((&*model.note, model.rows[0].mood(model.now)), ("report: answered with 500", Mood::Failed));
}

#[test]
fn one_failure_goes_on_at_a_time() {
    let mut model = model((80, 12));
    model.act(Action::Menu);
    model.act(Action::Move(Way::Down));
    assert_eq!(model.act(Action::Enter), Some(Command::Fail("slow-login-check".to_owned())));
    sent(&mut model, 1, "slow-login-check");
    model.act(Action::Menu);
    assert_eq!(model.act(Action::Enter), None);
    assert_eq!(model.note, "one failure at a time: slow-login-check is going on");
    model.update(Event::Over { id: id(1), end: Err("no lock".to_owned()) });
    assert_eq!((&model.failing, &*model.note), (&None, "slow-login-check: no lock"));
}

#[test]
fn the_choice_stays_with_its_trace_and_the_first_one_is_whichever_is_newest() {
    let mut model = model((80, 12));
    model.update(Event::Traces(vec![answered(&id(1), 201), answered(&id(2), 201)]));
    assert_eq!(model.chosen(), 0);
    model.update(Event::Traces(vec![answered(&id(3), 201)]));
    assert_eq!((ids(&model)[model.chosen()], model.chosen()), (&*id(3), 0));
    model.act(Action::Move(Way::Down));
    model.update(Event::Traces(vec![answered(&id(4), 201)]));
    assert_eq!((ids(&model)[model.chosen()], model.chosen()), (&*id(2), 2));
    model.act(Action::Move(Way::Last));
    assert_eq!(model.chosen(), 3);
    model.act(Action::Move(Way::First));
    assert_eq!(model.chosen(), 0);
}

#[test]
fn what_we_send_is_chosen() {
    let mut model = model((80, 12));
    sent(&mut model, 1, "report");
    model.update(Event::Traces(vec![answered(&id(2), 201)]));
    assert_eq!((ids(&model)[model.chosen()], model.chosen()), (&*id(1), 1));
}

#[test]
fn an_opened_trace_stays_in_front_whatever_comes() {
    let mut model = model((80, 12));
    assert_eq!((model.act(Action::Enter), &model.front), (None, &Front::List));
    model.update(Event::Traces(vec![answered(&id(1), 201)]));
    model.act(Action::Enter);
    model.update(Event::Traces(vec![answered(&id(2), 201)]));
    model.act(Action::Show(Tab::Explanation));
    assert_eq!(model.front, Front::Page(Page::Trace(id(1), Tab::Explanation), (0, 0)));
    model.act(Action::Back);
    assert_eq!(model.front, Front::List);
}

#[test]
fn log_lines_are_fetched_for_the_trace_that_is_in_front_alone() {
    let mut model = model((80, 12));
    model.update(Event::Traces(vec![answered(&id(1), 201)]));
    assert_eq!(model.act(Action::Show(Tab::Logs)), Some(Command::Logs(id(1))));
    model.update(Event::Logs { id: id(1), lines: vec!["one".to_owned()] });
    model.update(Event::Logs { id: id(2), lines: vec!["other".to_owned()] });
    assert_eq!(model.logs, ["one"]);
}

#[test]
fn a_text_moves_within_its_bounds() {
    let mut model = model((40, 12));
    model.update(Event::Traces(vec![answered(&id(1), 201)]));
    let at = |model: &Model| match model.front {
        Front::Page(_, at) => at,
        _ => (usize::MAX, usize::MAX),
    };
    model.act(Action::Help);
    let lines = page::lines(&model, &Page::Help).len();
    for (way, expected) in [
        (Way::Up, (0, 0)),
        (Way::Left, (0, 0)),
        (Way::Down, (0, 1)),
        (Way::PageDown, (0, 9)),
        (Way::Last, (0, lines - 8)),
        (Way::Down, (0, lines - 8)),
        (Way::Right, (16, lines - 8)),
        (Way::First, (16, 0)),
        (Way::Left, (0, 0)),
    ] {
        model.act(Action::Move(way));
        assert_eq!(at(&model), expected, "{way:?}");
    }
    model.act(Action::Back);
    model.act(Action::Enter);
    model.act(Action::Move(Way::Last));
    assert_eq!(at(&model), (0, 0), "four lines, for which there is room for five");
}

use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Cell;

use super::super::keys::{Action, Way};
use super::super::model::tests::{BEGUN, answered, id, model};
use super::super::model::{Event, Model};
use super::super::start::{Progress, Said, Starting, Step};
use super::*;

fn screen(size: (u16, u16), draw: impl FnOnce(&mut Frame<'_>)) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(draw).unwrap();
    terminal
}

/// The lines of the screen without trailing spaces.
fn text(terminal: &Terminal<TestBackend>) -> String {
    let buffer = terminal.backend().buffer();
    let rows = buffer.content.chunks(buffer.area.width.into());
    let line = |row: &[Cell]| row.iter().map(Cell::symbol).collect::<String>().trim_end().to_owned();
    rows.map(line).chain([String::new()]).collect::<Vec<_>>().join("\n")
}

fn shown(model: &Model) -> String {
    text(&screen(model.size, |frame| draw(model, frame)))
}

/// A successful report, a failed one, and one in progress.
fn three(size: (u16, u16)) -> Model {
    let mut model = model(size);
    model.update(Event::Traces(vec![answered(&id(0x1a2b_3c4d), 201)]));
    model.update(Event::Sent { id: id(2), sender: "panic-in-epro-svc".to_owned(), at: BEGUN });
    model.update(Event::Over { id: id(2), end: Ok(Some(500)) });
    model.update(Event::Traces(vec![answered(&id(2), 500)]));
    model.update(Event::Time(Duration::from_secs(10)));
    model.update(Event::Sent { id: id(3), sender: "report".to_owned(), at: BEGUN + 10_000_000_000 });
    model
}

#[track_caller]
fn assert_shows(shown: &str, expected: &str) {
    let expected = expected.trim_start_matches('\n');
    assert!(shown == expected, "shown:\n{shown}\nexpected:\n{expected}");
}

#[test]
fn a_list_without_traces_says_how_to_make_one() {
    assert_shows(
        &shown(&model((80, 6))),
        "
 epro demo   gateway http://127.0.0.1:8080
 s submit  f fail  ↑↓ choose  Enter tree  e explain  l log  ? help  q quit
 traces: 0 ─────────────────────────────────────────────────────────────────────
No trace yet: s submits a report, f makes one fail.


",
    );
}

#[test]
fn the_list_fits_in_eighty_columns() {
    assert_shows(
        &shown(&three((80, 9))),
        "
 epro demo   gateway http://127.0.0.1:8080
 s submit  f fail  ↑↓ choose  Enter tree  e explain  l log  ? help  q quit
 traces: 3 ─────────────────────────────────────────────────────────────────────
  TIME     TRACE    ENTRY                     TOOK SPANS SVCS VERDICT
> 15:03:10 00000003 (no span)                          0    0 … cannot_tell
  15:03:00 00000002 POST /v1/reports 500     40 ms     3    2 ✗ bug
  15:03:00 1a2b3c4d POST /v1/reports 201     40 ms     3    2 ✓ healthy

 report: sent
",
    );
}

#[test]
fn a_wide_list_says_who_sent_what() {
    assert_shows(
        &shown(&three((120, 9))),
        "
 epro demo   gateway http://127.0.0.1:8080
 s submit  f fail  ↑↓ choose  Enter tree  e explain  l log  ? help  q quit
 traces: 3 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
  TIME     TRACE    ENTRY                                  TOOK SPANS SVCS VERDICT            SENT BY
> 15:03:10 00000003 (no span)                                       0    0 … cannot_tell      report
  15:03:00 00000002 POST /v1/reports 500                  40 ms     3    2 ✗ bug              panic-in-epro-svc
  15:03:00 1a2b3c4d POST /v1/reports 201                  40 ms     3    2 ✓ healthy

 report: sent
",
    );
}

#[test]
fn a_verdict_has_a_colour_and_a_mark() {
    let model = three((80, 9));
    let terminal = screen(model.size, |frame| draw(&model, frame));
    let cells = &terminal.backend().buffer().content;
    let marks = cells.iter().filter(|cell| ["✓", "✗", "…"].contains(&cell.symbol()));
    let marks: Vec<_> = marks.map(|cell| (cell.symbol(), cell.fg)).collect();
    assert_eq!(marks, [("…", Color::DarkGray), ("✗", Color::Red), ("✓", Color::Green)]);
}

#[test]
fn failures_are_chosen_from_a_menu_over_the_list() {
    let mut model = three((80, 14));
    model.act(Action::Menu);
    model.act(Action::Move(Way::Down));
    assert_shows(
        &shown(&model),
        "
 epro demo   gateway http://127.0.0.1:8080
 ↑↓ choose  Enter make it fail  Esc back  q quit
┌ make a report fail ──────────────────────────────────────────────────────────┐
│  panic-in-epro-svc          epro-svc panics                                  │
│> slow-login-check           The login check runs into its deadline           │
│                                                                              │
│                                                                              │
│                                                                              │
│──────────────────────────────────────────────────────────────────────────────│
│The patient: The app thinks for five seconds, then says that the service does │
│not answer in time and that it will try again.                                │
│                                                                              │
└──────────────────────────────────────────────────────────────────────────────┘
 report: sent
",
    );
}

#[test]
fn a_trace_is_shown_as_a_tree_below_its_verdict() {
    let mut model = three((100, 14));
    model.act(Action::Move(Way::Down));
    model.act(Action::Enter);
    assert_shows(
        &shown(&model),
        "
 epro demo   gateway http://127.0.0.1:8080
 ↑↓←→ move  t tree  e explain  l log  Esc back  s submit  f fail  q quit
 tree ──────────────────────────────────────────────────────────────────────────────────────────────
00000002000000000000000000000000   POST /v1/reports 500   40 ms   by panic-in-epro-svc   ✗ bug
Most likely epro-svc has a defect: INTERNAL, and nobody below it failed; trying again will most
likely not help.
SERVICE   SPAN                                               KIND    START      DURATION   STATUS
gateway   POST /v1/reports                                   SERVER     0.0 ms    40.0 ms  ERROR
gateway   └── epro.report.v1.ReportService/SubmitReport      CLIENT     1.0 ms    38.0 ms  ERROR
epro-svc      └── epro.report.v1.ReportService/SubmitReport  SERVER     2.0 ms    36.0 ms  ERROR  <=



 report: sent
",
    );
}

#[test]
fn an_explanation_says_what_we_did_as_well() {
    let mut model = three((100, 40));
    model.act(Action::Move(Way::Down));
    model.act(Action::Show(Tab::Explanation));
    assert_shows(
        &shown(&model),
        "
 epro demo   gateway http://127.0.0.1:8080
 ↑↓←→ move  t tree  e explain  l log  Esc back  s submit  f fail  q quit
 explanation ───────────────────────────────────────────────────────────────────────────────────────
00000002000000000000000000000000   POST /v1/reports 500   40 ms   by panic-in-epro-svc   ✗ bug
Most likely epro-svc has a defect: INTERNAL, and nobody below it failed; trying again will most
            likely not help.

cause       bug (likely)
guilty      epro-svc epro.report.v1.ReportService/SubmitReport SERVER (0000000000000002)
for         epro-svc epro.report.v1.ReportService/SubmitReport [SERVER] ended as INTERNAL
against     no exception says what it was

WHERE THE TIME WENT  SPAN                                           START       TIME  ON
gateway              POST /v1/reports                              0.0 ms     2.0 ms  own work
gateway              epro.report.v1.ReportService/SubmitReport     1.0 ms     2.0 ms  network
epro-svc             epro.report.v1.ReportService/SubmitReport     2.0 ms      36 ms  own work
all                                                                            38 ms  own work
all                                                                           2.0 ms  network

what we did epro-svc panics
the patient The app says that something is wrong at our end. Trying again does not help.
Is it a bug in epro-svc?
Yes. Its span of SubmitReport has an exception event, of a panic. A log line of the same trace says
            where in the code.















 report: sent
",
    );
}

#[test]
fn log_lines_of_a_trace_are_a_text() {
    let mut model = three((80, 10));
    model.act(Action::Show(Tab::Logs));
    model.update(Event::Logs { id: id(3), lines: vec!["14:03 INFO  gateway    request".to_owned()] });
    assert_shows(
        &shown(&model),
        "
 epro demo   gateway http://127.0.0.1:8080
 ↑↓←→ move  t tree  e explain  l log  Esc back  s submit  f fail  q quit
 log lines ─────────────────────────────────────────────────────────────────────
00000003000000000000000000000000   (no span)      by report   … cannot_tell
The trace does not say what went wrong, for it is incomplete: there is no span
at all; the request has not arrived, or was not sampled: the log lines of its id
14:03 INFO  gateway    request


 report: sent
",
    );
}

#[test]
fn the_start_shows_how_far_the_build_is() {
    let mut starting = Starting::default();
    starting.update(Progress::Begun(Step::Build));
    starting.update(Progress::Cargo(Said::Gauge { done: 12, all: 48, at: "tokio, serde".to_owned() }));
    starting.now = Duration::from_millis(3500);
    assert_shows(
        &text(&screen((80, 8), |frame| draw_starting(&starting, frame))),
        "
 epro demo   starting   q quit

 ⣟ build the services (minutes the first time)    3.5 s
   start Postgres and seed it
   start the five services

████████████████████            12 of 48 crates
 tokio, serde
",
    );
}

#[test]
fn the_start_shows_which_steps_are_done() {
    let mut starting = Starting::default();
    starting.update(Progress::Begun(Step::Build));
    starting.now = Duration::from_secs(3);
    starting.update(Progress::Begun(Step::Postgres));
    starting.now = Duration::from_secs(5);
    assert_shows(
        &text(&screen((80, 8), |frame| draw_starting(&starting, frame))),
        "
 epro demo   starting   q quit

 ✓ build the services (minutes the first time)    3.0 s
 ⣽ start Postgres and seed it                     2.0 s
   start the five services



",
    );
}

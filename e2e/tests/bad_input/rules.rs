//! 422: bodies that can be read but break a rule.

use chrono::TimeDelta;
use e2e::PATIENT;
use e2e::setup::{self, Window, text};
use migrations::demo::NEWCOMER;
use serde_json::{Map, Value, json};
use testkit::client::Token;
use testkit::stack::Stack;

use super::case::{Case, MARK, changed};

/// A diary with one changed member.
fn with(name: &'static str, patient: &Token, member: &str, value: Value) -> Case {
    Case::submission(name, patient, changed(PATIENT.assignment, |body| body[member] = value))
}

/// A diary with one changed answer.
fn answer(name: &'static str, patient: &Token, link_id: &str, value: Value) -> Case {
    Case::submission(name, patient, changed(PATIENT.assignment, |body| body["answers"][link_id] = value))
}

pub(super) fn shape(patient: &Token) -> Vec<Case> {
    let without = |name, member: &str| {
        let remove = |body: &mut Value| body.as_object_mut().and_then(|body| body.remove(member));
        Case::submission(name, patient, changed(PATIENT.assignment, |body| drop(remove(body))))
    };
    vec![
        Case::submission("no members", patient, "{}").misshapes(&["required", "required", "required", "required"]),
        without("no assignment", "assignment_id").misshapes(&["required"]),
        without("no time of capture", "captured_at").misshapes(&["required"]),
        without("no answers", "answers").misshapes(&["required"]),
        without("no attestation", "attested").misshapes(&["required"]),
        with("a number for a time", patient, "captured_at", json!(1_700_000_000)).misshapes(&["type"]),
        with("a word for an attestation", patient, "attested", json!(MARK)).misshapes(&["type"]),
        with("a number for an assignment", patient, "assignment_id", json!(1)).misshapes(&["type"]),
        with("a list of answers", patient, "answers", json!([MARK])).misshapes(&["type"]),
        with("a score of the client's", patient, "score", json!(27)).misshapes(&["unknown-field"]),
        with("a disposition of the client's", patient, "disposition", json!("accepted")).misshapes(&["unknown-field"]),
        with("a time of receipt", patient, "received_at", json!("2026-02-28T08:00:00Z")).misshapes(&["unknown-field"]),
        with("an unknown member", patient, MARK, json!(MARK)).misshapes(&["unknown-field"]),
        with("a slip in a member's name", patient, "capturedAt", json!(MARK)).misshapes(&["unknown-field"]),
        with("a slip and an unknown member", patient, "atested", json!({MARK: MARK})).misshapes(&["unknown-field"]),
    ]
}

pub(super) fn capture(patient: &Token) -> Vec<Case> {
    let at = |name, time: &str| with(name, patient, "captured_at", json!(time));
    let ahead = text(setup::now() + TimeDelta::minutes(10));
    let malformed = [
        at("29 February of another year", "2027-02-29T08:00:00Z"),
        at("24 o'clock", "2026-02-28T24:00:00Z"),
        at("no offset", "2026-02-28T08:00:00"),
        at("an offset of a day", "2026-02-28T08:00:00+24:00"),
        at("a blank between day and time", "2026-02-28 08:00:00Z"),
        at("a day", "2026-02-28"),
        at("seconds since 1970", "1772265600"),
        at("no time", ""),
        at("a word for a time", MARK),
        at("a time with NUL", "2026-02-28T08:00:00Z\0"),
        at("a 61st second at noon", "2026-02-28T12:00:60Z"),
        at("a leap second that was none", "2026-06-30T23:59:60Z"),
    ];
    malformed
        .map(|case| case.breaks(&["captured-at-format"]))
        .into_iter()
        .chain([
            with("not attested", patient, "attested", json!(false)).breaks(&["attested"]),
            at("ten minutes ahead", &ahead).breaks(&["captured-at-future"]),
            at("the far future", "9999-12-31T23:59:59Z").breaks(&["captured-at-future"]),
            at("before the enrolment", "2025-12-31T23:59:59Z").breaks(&["captured-at-before-enrolment"]),
            at("before the enrolment by its offset", "2026-01-01T00:59:59+01:00")
                .breaks(&["captured-at-before-enrolment"]),
            at("the first year", "0001-01-01T00:00:00Z").breaks(&["captured-at-before-enrolment"]),
        ])
        .collect()
}

pub(super) fn answers(patient: &Token) -> Vec<Case> {
    let case = |name, link_id: &str, value: Value| answer(name, patient, link_id, value);
    let unknown: Map<_, _> = (0..5_000).map(|number| (number.to_string(), json!(1))).collect();
    let only = |name, answers: Value| with(name, patient, "answers", answers);
    vec![
        case("an unknown item", MARK, json!(1)).breaks(&["unknown-item"]),
        only("5,000 unknown items", unknown.into()).breaks(&["unknown-item", "required"]),
        case("pain as text", "pain", json!(MARK)).breaks(&["type"]),
        case("pain as a boolean", "pain", json!(true)).breaks(&["type"]),
        case("pain of 5.5", "pain", json!(5.5)).breaks(&["type"]),
        case("rescue as a number", "rescue", json!(1)).breaks(&["type", "disabled"]),
        case("temperature as text", "temperature", json!("37.5")).breaks(&["type"]),
        case("a note that is a number", "note", json!(5)).breaks(&["type"]),
        case("an object for an answer", "pain", json!({"a": MARK})).breaks(&["type"]),
        case("a list for an answer", "pain", json!([7])).breaks(&["type"]),
        case("an object for an unknown item", MARK, json!({"a": MARK})).breaks(&["unknown-item"]),
        case("null for what is required", "pain", Value::Null).breaks(&["required"]),
        case("null for an unknown item", MARK, Value::Null).breaks(&["unknown-item"]),
        case("pain of 11", "pain", json!(11)).breaks(&["range"]),
        case("pain of 11.0", "pain", json!(11.0)).breaks(&["range"]),
        case("pain beyond 64 bits", "pain", json!(18_446_744_073_709_551_615_u64)).breaks(&["range"]),
        case("pain of 1e300", "pain", json!(1e300)).breaks(&["range"]),
        case("pain of -1", "pain", json!(-1)).breaks(&["range"]),
        case("the least number of 64 bits for pain", "pain", json!(i64::MIN)).breaks(&["range"]),
        case("no doses", "rescue_doses", json!(0)).breaks(&["range"]),
        case("21 doses", "rescue_doses", json!(21)).breaks(&["range"]),
        case("33.9 degrees", "temperature", json!(33.9)).breaks(&["range"]),
        case("43.01 degrees", "temperature", json!(43.01)).breaks(&["range"]),
        case("1e308 degrees", "temperature", json!(1e308)).breaks(&["range"]),
        case("a note of 501 characters", "note", json!("\u{e4}".repeat(501))).breaks(&["length"]),
        case("a note of 501 emoji", "note", json!("\u{1f62d}".repeat(501))).breaks(&["length"]),
        case("NUL in a note", "note", json!(format!("{MARK}\0"))).breaks(&["null-character"]),
        case("NUL in a long note", "note", json!("\0".repeat(501))).breaks(&["length", "null-character"]),
        case("NUL in the name of an item", "pain\0", json!(1)).breaks(&["unknown-item"]),
        case("an item in upper case", "Pain", json!(1)).breaks(&["unknown-item"]),
        only("three slips and more", json!({"pain": 1, "Pain": 1, "note_": "", "PAIN": 1, MARK: 1})).breaks(&[
            "unknown-item",
            "unknown-item",
            "unknown-item",
        ]),
        only("no answers at all", json!({})).breaks(&["required"]),
        only("no doses where some were taken", json!({"pain": 1, "rescue": true})).breaks(&["required"]),
        case("doses where none were taken", "rescue", json!(false)).breaks(&["disabled"]),
    ]
}

pub(super) fn choices(patient: &Token) -> Vec<Case> {
    let phq9 = |name, change: fn(&mut Value)| {
        Case::submission(
            name,
            patient,
            changed(PATIENT.phq9, |body| {
                body["answers"] = (1..=9).map(|item| (format!("phq9-{item}"), json!(1))).collect::<Map<_, _>>().into();
                body["answers"]["phq9-difficulty"] = json!(1);
                change(&mut body["answers"]);
            }),
        )
    };
    vec![
        phq9("a choice that is not offered", |answers| answers["phq9-1"] = json!(4)).breaks(&["code"]),
        phq9("a choice below the first", |answers| answers["phq9-1"] = json!(-1)).breaks(&["code"]),
        phq9("a choice in words", |answers| answers["phq9-1"] = json!(MARK)).breaks(&["type"]),
        phq9("a choice between two", |answers| answers["phq9-1"] = json!(0.5)).breaks(&["type"]),
        phq9("a choice of 4.0", |answers| answers["phq9-1"] = json!(4.0)).breaks(&["code"]),
        phq9("the wrong scale", |answers| answers["gad7-1"] = json!(1)).breaks(&["unknown-item"]),
        phq9("difficulty of nothing", |answers| {
            *answers = (1..=9).map(|item| (format!("phq9-{item}"), json!(0))).collect::<Map<_, _>>().into();
            answers["phq9-difficulty"] = json!(0);
        })
        .breaks(&["disabled"]),
        phq9("all but the last item", |answers| {
            *answers = (1..=8).map(|item| (format!("phq9-{item}"), json!(0))).collect::<Map<_, _>>().into();
        })
        .breaks(&["required"]),
        phq9("no difficulty of something", |answers| {
            *answers = (1..=9).map(|item| (format!("phq9-{item}"), json!(item / 9))).collect::<Map<_, _>>().into();
        })
        .breaks(&["required"]),
    ]
}

pub(super) async fn windows(stack: &Stack, patient: &Token) -> anyhow::Result<Vec<Case>> {
    let windows = [Window::minutes(-60, -40, 60), Window::minutes(-20, 60, 120)];
    let assignment_id = setup::schedule(stack, PATIENT.assignment, &windows).await?;
    let [earlier, later] = windows;
    let millisecond = TimeDelta::milliseconds(1);
    let at = |name, time| {
        let body = changed(assignment_id, |body| body["captured_at"] = json!(text(time)));
        Case::submission(name, patient, body).breaks(&["outside-window"])
    };
    Ok(vec![
        at("just before the first window opens", earlier.opens_at - millisecond),
        at("just when a window closes", earlier.closes_at),
        at("between two windows", earlier.closes_at + TimeDelta::minutes(1)),
        at("just before the next window opens", later.opens_at - millisecond),
    ])
}

pub(super) async fn retired(stack: &Stack, patient: &Token) -> anyhow::Result<Vec<Case>> {
    let retired_at = setup::now() - TimeDelta::hours(1);
    setup::retire(stack, "gad-7", retired_at).await?;
    let at = |name, time| {
        let body = changed(PATIENT.gad7, |body| {
            body["captured_at"] = json!(text(time));
            body["answers"] = (1..=7).map(|item| (format!("gad7-{item}"), json!(0))).collect::<Map<_, _>>().into();
        });
        Case::submission(name, patient, body).breaks(&["questionnaire-retired"])
    };
    Ok(vec![at("a questionnaire that is retired", setup::now()), at("a questionnaire at its retirement", retired_at)])
}

/// Broken rules on the other routes.
pub(super) fn elsewhere(patient: &Token, nurse: &Token, report_id: &str) -> Vec<Case> {
    let post = |name, path: &str, body: Value| Case::new(name, "POST", path).json(body.to_string());
    let change = |name, path: &str, body| {
        post(name, &format!("/v1/reports/{report_id}/{path}"), body).header("idempotency-key", "change")
    };
    let amend = |name, body: Value| change(name, "amendments", body).bearer(patient).header("if-match", "\"1\"");
    let review = |name, body: Value| change(name, "reviews", body).bearer(nurse);
    let activate = |name, pin: &str| {
        let body = json!({"activation_code": NEWCOMER.activation_code, "pin": pin});
        post(name, "/v1/activations", body).expect(422, "pin-too-simple")
    };
    let answers = json!({"pain": 3, "rescue": false});
    vec![
        amend("no reason", json!({"answers": answers})).misshapes(&["required"]),
        amend("a reason that is a number", json!({"answers": answers, "reason": 1})).misshapes(&["type"]),
        amend("an empty reason", json!({"answers": answers, "reason": ""})).breaks(&["required"]),
        amend("a blank reason", json!({"answers": answers, "reason": " \n"})).breaks(&["required"]),
        amend("a long reason", json!({"answers": answers, "reason": MARK.repeat(1000)})).breaks(&["length"]),
        amend("NUL in a reason", json!({"answers": answers, "reason": format!("{MARK}\0")}))
            .breaks(&["null-character"]),
        amend("no new answers", json!({"reason": MARK})).misshapes(&["required"]),
        amend("a new time", json!({"answers": answers, "reason": MARK, "captured_at": "2026-02-28T08:00:00Z"}))
            .misshapes(&["unknown-field"]),
        amend("new pain of 11", json!({"answers": {"pain": 11}, "reason": MARK})).breaks(&["range"]),
        amend("a new unknown item", json!({"answers": {"pain": 1, MARK: 1}, "reason": MARK})).breaks(&["unknown-item"]),
        review("no outcome", json!({})).expect(422, "invalid-body"),
        review("an unknown outcome", json!({"outcome": MARK})).expect(422, "invalid-body"),
        review("an outcome in upper case", json!({"outcome": "APPROVED"})).expect(422, "invalid-body"),
        review("a reviewer of the client's", json!({"outcome": "approved", MARK: MARK})).expect(422, "invalid-body"),
        post("a PIN that is a number", "/v1/sessions", json!({"login": MARK, "pin": 1})).misshapes(&["type"]),
        post("a login with more", "/v1/sessions", json!({"login": MARK, "pin": MARK, MARK: 1}))
            .misshapes(&["unknown-field"]),
        post("no refresh token", "/v1/sessions/refresh", json!({})).misshapes(&["required"]),
        activate("a PIN of one digit", "777777"),
        activate("a PIN in a row", "123456"),
        activate("a short PIN", "73520"),
        activate("a PIN in letters", MARK),
    ]
}

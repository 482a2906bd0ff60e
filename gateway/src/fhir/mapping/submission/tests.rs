use serde_json::json;

use super::*;

const PERSON: &str = "2c7e9a44-3b1d-4f6a-a0c5-9e8d7c6b5a01";
const ASSIGNMENT: &str = "a551a9e0-1d1a-4f00-8000-000000000101";

fn reference(uuid: &str) -> Json {
    json!({"identifier": {"system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{uuid}")}})
}

fn resource() -> Json {
    json!({
        "resourceType": "QuestionnaireResponse",
        "extension": [{"url": SIGNATURE, "valueSignature": {
            "type": [{"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.1"}],
            "when": "2026-03-01T08:30:00+01:00", "who": reference(PERSON),
        }}],
        "basedOn": [reference(ASSIGNMENT)],
        "questionnaire": "https://x/x|1.0",
        "status": "completed",
        "subject": reference(PERSON),
        "authored": "2026-03-01T08:30:00+01:00",
        "item": [
            {"linkId": "a", "answer": [{"valueCoding": {"system": "http://loinc.org", "code": "LA6568-5"}}]},
            {"linkId": "b", "text": "B", "answer": [{"valueDecimal": 36.9}]},
            {"linkId": "c"},
        ],
    })
}

fn submission(resource: &Json) -> Result<Submission, Problem> {
    Submission::of(read(resource.as_object().unwrap().clone())?, PERSON)
}

fn errors(resource: &Json) -> Vec<(String, String)> {
    let problem = submission(resource).unwrap_err();
    problem.errors().iter().map(|error| (error.pointer.clone(), error.code.clone())).collect()
}

fn error(pointer: &str, code: &str) -> Vec<(String, String)> {
    vec![(pointer.to_owned(), code.to_owned())]
}

#[test]
fn a_resource_says_what_a_report_says() {
    let submission = submission(&resource()).unwrap();
    assert!(submission.attested);
    assert_eq!(submission.assignment_id.as_deref(), Some(ASSIGNMENT));
    assert_eq!(submission.captured_at, "2026-03-01T08:30:00+01:00");
    let coding = Coding { system: "http://loinc.org".to_owned(), code: "LA6568-5".to_owned() };
    let value = |link_id: &str| submission.answers[link_id].value.clone();
    assert_eq!((value("a"), value("b"), value("c")), (Some(Value::Coding(coding)), Some(Value::Decimal(36.9)), None));
}

#[test]
fn nobody_attests_without_an_authors_signature_of_their_own() {
    let signature = "/extension/0/valueSignature";
    for (pointer, value) in [
        ("/extension".to_owned(), json!([])),
        ("/extension/0/url".to_owned(), json!("http://x")),
        (format!("{signature}/type"), json!([])),
        (format!("{signature}/type/0/code"), json!("1.2.840.10065.1.12.1.5")),
        (format!("{signature}/type/0/system"), json!("http://x")),
        (format!("{signature}/who"), reference(ASSIGNMENT)),
        (format!("{signature}/who"), json!({"reference": "Patient/1"})),
        (signature.to_owned(), json!(true)),
    ] {
        let mut resource = resource();
        *resource.pointer_mut(&pointer).unwrap() = value;
        assert!(!submission(&resource).unwrap().attested, "{pointer}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let mut wrong = resource();
    for (name, value) in [
        ("questionnaire", Json::Null),
        ("status", json!("in-progress")),
        ("subject", json!({"reference": "Patient/1"})),
        ("basedOn", json!([reference(ASSIGNMENT), reference(ASSIGNMENT)])),
        (
            "item",
            json!([{"linkId": "a", "answer": [{}]}, {"linkId": "a", "answer": [{"valueInteger": 1, "valueString": "x"}]}]),
        ),
    ] {
        wrong[name] = value;
    }
    let expected = [
        ("/questionnaire", "required"),
        ("/status", "enum"),
        ("/subject", "subject"),
        ("/basedOn", "based-on"),
        ("/item/0/answer", "one-value"),
        ("/item/1/answer", "one-value"),
        ("/item/1/linkId", "duplicate-item"),
    ];
    assert_eq!(errors(&wrong), expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())));
}

#[test]
fn what_is_no_such_resource_is_told_by_its_place_and_no_word_of_the_sender() {
    for (pointer, name, value, place) in [
        ("", "resourceType", json!("Patient"), "/resourceType"),
        ("", "zebra", json!(1), ""),
        ("", "modifierExtension", json!([]), ""),
        ("", "authored", json!(1), "/authored"),
        ("/item/1", "linkId", json!(["zebra"]), "/item/1/linkId"),
        ("/item/1", "item", json!([]), "/item/1/item"),
        ("/item/1/answer/0", "valueDate", json!("2026-01-01"), "/item/1/answer/0"),
        ("/item/1/answer/0", "valueInteger", json!(1.5), "/item/1/answer/0/valueInteger"),
        ("/item/0/answer/0/valueCoding", "zebra", json!(1), "/item/0/answer/0/valueCoding"),
    ] {
        let mut resource = resource();
        resource.pointer_mut(pointer).unwrap()[name] = value;
        assert_eq!(errors(&resource), error(place, "structure"), "{pointer} {name}");
    }
}

#[test]
fn a_broken_rule_is_placed_where_the_resource_has_what_breaks_it() {
    let items = submission(&resource()).unwrap().take_items();
    for (pointer, place) in [
        ("/answers/b", "/item/1"),
        ("/answers/missing", "/item"),
        ("/answers", "/item"),
        ("/captured_at", "/authored"),
        ("/attested", "/extension"),
        ("/assignment_id", "/basedOn"),
        ("/questionnaire", "/questionnaire"),
    ] {
        let error = FieldError::new(pointer.to_owned(), "x");
        assert_eq!(Submission::place(&items, &error), place, "{pointer}");
    }
}

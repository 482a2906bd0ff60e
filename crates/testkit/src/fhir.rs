//! Reports as FHIR R4 resources, as a client of `/fhir` sends them.

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Client, Response, Token};

/// The path of responses.
pub const RESPONSES: &str = "/fhir/QuestionnaireResponse";

/// The media type of FHIR's JSON.
pub const MEDIA_TYPE: &str = "application/fhir+json";

/// The canonical URL of a questionnaire of the demo study.
pub fn canonical(questionnaire_id: &str) -> String {
    format!("https://example.org/questionnaires/{questionnaire_id}|1.0")
}

/// A logical reference to the resource with this id.
pub fn reference(of_type: &str, id: Uuid) -> Value {
    json!({"type": of_type, "identifier": {"system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{id}")}})
}

/// A signed response, captured just now.
pub fn response(questionnaire_id: &str, person_id: Uuid, assignment_id: Uuid, items: &[(&str, Value)]) -> Value {
    let now = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let patient = reference("Patient", person_id);
    let items: Vec<_> = items.iter().map(|(link_id, answer)| json!({"linkId": link_id, "answer": [answer]})).collect();
    json!({
        "resourceType": "QuestionnaireResponse",
        "extension": [{
            "url": "http://hl7.org/fhir/StructureDefinition/questionnaireresponse-signature",
            "valueSignature": {
                "type": [{"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.1"}],
                "when": now,
                "who": patient,
            },
        }],
        "basedOn": [reference("ServiceRequest", assignment_id)],
        "questionnaire": canonical(questionnaire_id),
        "status": "completed",
        "subject": patient,
        "authored": now,
        "source": patient,
        "item": items,
    })
}

/// A response to the daily diary, with an item of every type.
pub fn diary(person_id: Uuid, assignment_id: Uuid) -> Value {
    let items = [
        ("pain", json!({"valueInteger": 3})),
        ("rescue", json!({"valueBoolean": true})),
        ("rescue_doses", json!({"valueInteger": 1})),
        ("temperature", json!({"valueDecimal": 36.9})),
        ("note", json!({"valueString": "Slept well."})),
    ];
    response("daily-symptom-diary", person_id, assignment_id, &items)
}

/// One of the four answer options of PHQ-9 and GAD-7, by its score.
pub fn frequency(value: usize) -> Value {
    let (code, display) = [
        ("LA6568-5", "Not at all"),
        ("LA6569-3", "Several days"),
        ("LA6570-1", "More than half the days"),
        ("LA6571-9", "Nearly every day"),
    ][value];
    json!({"valueCoding": {"system": "http://loinc.org", "code": code, "display": display}})
}

/// A PHQ-9 with these answers. If any of them scores, it also answers the additional item that is then asked.
pub fn phq9(person_id: Uuid, assignment_id: Uuid, values: [usize; 9]) -> Value {
    let link_ids: Vec<_> = (1..=9).map(|number| format!("phq9-{number}")).collect();
    let mut items: Vec<_> = link_ids.iter().map(String::as_str).zip(values.map(frequency)).collect();
    if values.iter().any(|value| *value > 0) {
        let somewhat = json!({"system": "http://loinc.org", "code": "LA6573-5", "display": "Somewhat difficult"});
        items.push(("phq9-difficulty", json!({"valueCoding": somewhat})));
    }
    response("phq-9", person_id, assignment_id, &items)
}

/// A GAD-7 with these answers.
pub fn gad7(person_id: Uuid, assignment_id: Uuid, values: [usize; 7]) -> Value {
    let link_ids: Vec<_> = (1..=7).map(|number| format!("gad7-{number}")).collect();
    let items: Vec<_> = link_ids.iter().map(String::as_str).zip(values.map(frequency)).collect();
    response("gad-7", person_id, assignment_id, &items)
}

impl Client {
    /// Creates a response, with these additional headers.
    ///
    /// # Errors
    /// When no answer arrives. An error status is an answer.
    pub async fn create_response(
        &self,
        token: &Token,
        headers: &[(&str, &str)],
        resource: &Value,
    ) -> anyhow::Result<Response> {
        let bearer = format!("Bearer {}", token.0);
        let usual = [("authorization", bearer.as_str()), ("content-type", MEDIA_TYPE), ("accept", MEDIA_TYPE)];
        self.raw("POST", RESPONSES, &[&usual, headers].concat(), resource.to_string()).await
    }
}

/// The id in the `Location` of the created resource.
pub fn created(answer: &Response) -> Option<&str> {
    answer.header("location")?.rsplit_once("/QuestionnaireResponse/").map(|(_, id)| id)
}

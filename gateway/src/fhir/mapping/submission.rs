use std::collections::HashMap;

use proto::domain::{self, Coding, answer::Value};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use serde_path_to_error::Segment;
use uuid::Uuid;

use crate::fhir::resource::{Answer, Answered, QuestionnaireResponse, Reference, Signature};
use crate::problem::{FieldError, Problem};

/// The extension by which a patient attests the answers. R4 itself defines it.
pub(super) const SIGNATURE: &str = "http://hl7.org/fhir/StructureDefinition/questionnaireresponse-signature";

/// Names that an error may repeat. Any other name is the sender's own text.
const KNOWN: [&str; 34] = [
    "answer",
    "author",
    "authored",
    "basedOn",
    "code",
    "definition",
    "display",
    "extension",
    "id",
    "identifier",
    "item",
    "language",
    "linkId",
    "meta",
    "questionnaire",
    "resourceType",
    "source",
    "status",
    "subject",
    "system",
    "text",
    "type",
    "url",
    "userSelected",
    "value",
    "valueBoolean",
    "valueCoding",
    "valueDecimal",
    "valueInteger",
    "valueSignature",
    "valueString",
    "version",
    "when",
    "who",
];

/// A report that was read from a resource.
#[derive(Debug)]
pub(in crate::fhir) struct Submission {
    /// Canonical URL and version.
    pub(in crate::fhir) questionnaire: String,
    /// The assignment, if the resource says which.
    pub(in crate::fhir) assignment_id: Option<String>,
    pub(in crate::fhir) captured_at: String,
    pub(in crate::fhir) attested: bool,
    pub(in crate::fhir) answers: HashMap<String, domain::Answer>,
    /// The index of each item in the resource, by `link_id`.
    items: HashMap<String, usize>,
}

/// Reads the resource. The error says which part of the object does not fit.
pub(in crate::fhir) fn read(object: Map<String, Json>) -> Result<QuestionnaireResponse, Problem> {
    serde_path_to_error::deserialize(Json::Object(object)).map_err(|error| {
        let pointer: String = error.path().iter().map_while(known_part).collect();
        Problem::invalid_body(vec![FieldError::new(pointer, "structure")])
    })
}

/// A part of a JSON pointer; none if it is the sender's own text.
fn known_part(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Seq { index } => Some(format!("/{index}")),
        Segment::Map { key } if KNOWN.contains(&key.as_str()) => Some(format!("/{key}")),
        _ => None,
    }
}

impl Submission {
    /// The submission of this person. All errors of the resource are reported at once. epro-svc checks the answers.
    pub(in crate::fhir) fn of(response: QuestionnaireResponse, person_id: &str) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let mut wrong = |pointer: &str, code: &str| errors.push(FieldError::new(pointer.to_owned(), code));
        let mut required = |pointer: &str, value: Option<String>| {
            let value = value.unwrap_or_default();
            if value.is_empty() {
                wrong(pointer, "required");
            }
            value
        };
        let questionnaire = required("/questionnaire", response.questionnaire);
        let status = required("/status", response.status);
        let captured_at = required("/authored", response.authored);
        if !matches!(status.as_str(), "completed" | "") {
            wrong("/status", "enum");
        }
        for (pointer, person) in
            [("/subject", &response.subject), ("/author", &response.author), ("/source", &response.source)]
        {
            if person.as_ref().is_some_and(|person| person.uuid() != Some(person_id)) {
                wrong(pointer, "subject");
            }
        }
        let attested = response.extension.iter().filter(|extension| extension.url == SIGNATURE).any(|extension| {
            let signature = extension.value("valueSignature").map(Signature::deserialize).and_then(Result::ok);
            signature.is_some_and(|signature| signature.is_of_author() && signature.who.uuid() == Some(person_id))
        });
        let assignment_id = assignment_id(&response.based_on).unwrap_or_else(|()| {
            wrong("/basedOn", "based-on");
            None
        });
        let (mut answers, mut items) = (HashMap::new(), HashMap::new());
        for (index, item) in response.item.into_iter().enumerate() {
            let Answered { link_id, answer, .. } = item;
            match value(answer) {
                Ok(value) => {
                    answers.insert(link_id.clone(), domain::Answer { value });
                }
                Err(()) => wrong(&format!("/item/{index}/answer"), "one-value"),
            }
            if items.insert(link_id, index).is_some() {
                wrong(&format!("/item/{index}/linkId"), "duplicate-item");
            }
        }
        if errors.is_empty() {
            Ok(Self { questionnaire, assignment_id, captured_at, attested, answers, items })
        } else {
            Err(Problem::invalid_body(errors))
        }
    }

    /// The place in the resource of an error in the report.
    pub(in crate::fhir) fn place(items: &HashMap<String, usize>, error: &FieldError) -> String {
        match (error.pointer.as_str(), error.link_id.as_ref().map(|link_id| items.get(link_id))) {
            (_, Some(Some(index))) => format!("/item/{index}"),
            (_, Some(None)) | ("/answers", _) => "/item".to_owned(),
            ("/captured_at", _) => "/authored".to_owned(),
            ("/attested", _) => "/extension".to_owned(),
            ("/assignment_id", _) => "/basedOn".to_owned(),
            (pointer, None) => pointer.to_owned(),
        }
    }

    /// Takes the places of the items, for [`place`](Self::place).
    pub(in crate::fhir) fn take_items(&mut self) -> HashMap<String, usize> {
        std::mem::take(&mut self.items)
    }
}

/// The UUID of the assignment that the report refers to, if it refers to one.
fn assignment_id(based_on: &[Reference]) -> Result<Option<String>, ()> {
    match based_on {
        [] => Ok(None),
        [one] => {
            let id = one.uuid().and_then(|uuid| uuid.parse::<Uuid>().ok()).ok_or(())?;
            Ok(Some(id.to_string()))
        }
        _ => Err(()),
    }
}

/// The value of an item's answer, or none without an answer. It fails if there are several answers or values.
fn value(answers: Vec<Answer>) -> Result<Option<Value>, ()> {
    let mut answers = answers.into_iter();
    let Some(answer) = answers.next() else { return Ok(None) };
    let coding = |coding: crate::fhir::resource::Coding| {
        Value::Coding(Coding { system: coding.system.unwrap_or_default(), code: coding.code.unwrap_or_default() })
    };
    let values = [
        answer.value_boolean.map(Value::Boolean),
        answer.value_integer.map(Value::Integer),
        answer.value_decimal.map(Value::Decimal),
        answer.value_string.map(Value::Text),
        answer.value_coding.map(coding),
    ];
    let mut values = values.into_iter().flatten();
    match (values.next(), values.next(), answers.next()) {
        (Some(value), None, None) => Ok(Some(value)),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use super::definition::{Choice, Condition, Definition, EnableBehavior, Item, ItemType, Operator, Scoring};
use crate::fhir::resource::{AnswerOption, EnableWhen, Extension, Item as Shown, Questionnaire};

const MIN_VALUE: &str = "http://hl7.org/fhir/StructureDefinition/minValue";
const MAX_VALUE: &str = "http://hl7.org/fhir/StructureDefinition/maxValue";
/// The extension with the value of an option.
const ORDINAL_VALUE: &str = "http://hl7.org/fhir/StructureDefinition/ordinalValue";

/// A version of a questionnaire. As the id of a resource it is the short name, a hyphen and the version: `phq-9-1.0`.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::fhir) struct QuestionnaireName {
    pub(in crate::fhir) id: String,
    pub(in crate::fhir) version: String,
}

impl QuestionnaireName {
    /// The version follows the last hyphen. Returns none if the text is not the id of a resource (R4, section
    /// 2.24.0.1).
    pub(in crate::fhir) fn of(resource_id: &str) -> Option<Self> {
        let is_id_character = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if resource_id.len() > 64 || !resource_id.bytes().all(is_id_character) {
            return None;
        }
        let (id, version) = resource_id.rsplit_once('-')?;
        Some(Self { id: id.to_owned(), version: version.to_owned() })
    }

    fn resource_id(&self) -> String {
        format!("{}-{}", self.id, self.version)
    }
}

/// A version of a questionnaire as a resource.
pub(in crate::fhir) fn questionnaire(
    name: &QuestionnaireName,
    url: String,
    retired: bool,
    definition: &Definition,
) -> Questionnaire {
    let total = definition.scoring.as_ref().and_then(|scoring| total(definition, scoring));
    Questionnaire {
        resource_type: "Questionnaire",
        id: name.resource_id(),
        url,
        version: name.version.clone(),
        title: definition.title.clone(),
        status: if retired { "retired" } else { "active" },
        subject_type: ["Patient"],
        description: definition.instructions.clone(),
        copyright: definition.copyright.clone(),
        code: definition.code(),
        item: definition.items.iter().map(|item| shown(definition, item)).chain(total).collect(),
    }
}

/// The item of the total score. It is read-only, because the system computes the total.
fn total(definition: &Definition, scoring: &Scoring) -> Option<Shown> {
    Some(Shown {
        link_id: scoring.link_id.clone()?,
        code: definition.coding(scoring.code.as_deref(), None),
        text: scoring.text.clone(),
        kind: "integer",
        read_only: true,
        ..Shown::default()
    })
}

fn shown(definition: &Definition, item: &Item) -> Shown {
    let limits = [(MIN_VALUE, item.min), (MAX_VALUE, item.max)];
    // Without `enable_behavior`, all conditions must be met.
    let any = item.enable_behavior == Some(EnableBehavior::Any);
    let conditions = item.enable_when.iter();
    let enable_when: Vec<_> = conditions.flat_map(|condition| enable_when(definition, condition, any)).collect();
    Shown {
        extension: limits.into_iter().filter_map(|(url, limit)| Some(limit_of(item.kind, url, limit?))).collect(),
        link_id: item.link_id.clone(),
        code: definition.coding(item.code.as_deref(), None),
        text: item.text.clone(),
        kind: match item.kind {
            ItemType::Integer => "integer",
            ItemType::Decimal => "decimal",
            ItemType::Boolean => "boolean",
            ItemType::Text => "text",
            ItemType::Choice => "choice",
        },
        enable_behavior: (enable_when.len() > 1).then_some(if any { "any" } else { "all" }),
        enable_when,
        required: item.required,
        read_only: false,
        max_length: item.max_length,
        answer_option: item.options.iter().map(|choice| option(definition, choice)).collect(),
    }
}

fn limit_of(kind: ItemType, url: &str, limit: f64) -> Extension {
    match kind {
        ItemType::Integer => Extension::new(url, "valueInteger", whole(limit)),
        _ => Extension::new(url, "valueDecimal", json!(limit)),
    }
}

/// A number without a fraction as a JSON integer.
fn whole(number: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "the numbers of a definition are far below 2^53")]
    let whole = number as i64;
    json!(whole)
}

fn option(definition: &Definition, choice: &Choice) -> AnswerOption {
    match definition.choice(choice) {
        Some(mut coding) => {
            coding.extension.push(Extension::new(ORDINAL_VALUE, "valueDecimal", json!(choice.value)));
            AnswerOption::ValueCoding(coding)
        }
        None => AnswerOption::ValueInteger(choice.value),
    }
}

/// A condition in the terms of R4. Codes have no order in R4, so a condition on the value of a choice becomes
/// conditions on its options: the answer is one of the options that meet it (if any condition is enough), or none of
/// the others (if all must be met).
fn enable_when(definition: &Definition, condition: &Condition, any: bool) -> Vec<EnableWhen> {
    let one = |operator: &'static str, answer: (&str, Value)| EnableWhen {
        question: condition.link_id.clone(),
        operator,
        answer: Map::from_iter([(answer.0.to_owned(), answer.1)]),
    };
    let asked = definition.item(&condition.link_id);
    let codings = asked
        .into_iter()
        .flat_map(|item| &item.options)
        .filter_map(|choice| Some((meets(condition, choice.value), json!(definition.choice(choice)?))));
    let (meeting, others): (Vec<_>, Vec<_>) = codings.partition(|(meets, _)| *meets);
    if meeting.is_empty() && others.is_empty() {
        return vec![one(operator(condition.operator), answer(asked, &condition.answer))];
    }
    if any || meeting.len() == 1 {
        return meeting.into_iter().map(|(_, coding)| one("=", ("answerCoding", coding))).collect();
    }
    let exists = one("exists", ("answerBoolean", json!(true)));
    let others = others.into_iter().map(|(_, coding)| one("!=", ("answerCoding", coding)));
    std::iter::once(exists).chain(others).collect()
}

fn meets(condition: &Condition, value: i64) -> bool {
    condition.answer.as_i64().is_some_and(|expected| match condition.operator {
        Operator::Equal => value == expected,
        Operator::Greater => value > expected,
        Operator::AtLeast => value >= expected,
    })
}

fn operator(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal => "=",
        Operator::Greater => ">",
        Operator::AtLeast => ">=",
    }
}

/// The value that an answer is compared with, in the type of the question.
fn answer(asked: Option<&Item>, expected: &Value) -> (&'static str, Value) {
    match (expected, asked.map(|item| item.kind)) {
        (Value::Bool(_), _) => ("answerBoolean", expected.clone()),
        (Value::String(_), _) => ("answerString", expected.clone()),
        (_, Some(ItemType::Decimal)) => ("answerDecimal", expected.clone()),
        _ => ("answerInteger", expected.as_f64().map_or(Value::Null, whole)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(enable_behavior: &str) -> Definition {
        let options = json!([
            {"value": 0, "code": "a", "text": "A"}, {"value": 1, "code": "b", "text": "B"}, {"value": 2, "code": "c", "text": "C"},
        ]);
        let definition = json!({"title": "x", "code_system": "http://x", "items": [
            {"link_id": "choice", "type": "choice", "text": "?", "options": options},
            {"link_id": "number", "type": "decimal", "text": "?", "min": 0.5, "max": 1},
            {"link_id": "asked", "type": "integer", "text": "?", "min": 0.0, "enable_behavior": enable_behavior, "enable_when": [
                {"link_id": "choice", "operator": ">", "answer": 0}, {"link_id": "number", "operator": ">=", "answer": 1},
            ]},
        ]});
        Definition::of(&definition.to_string()).unwrap()
    }

    fn shown(enable_behavior: &str) -> Value {
        let name = QuestionnaireName::of("x-1.0").unwrap();
        json!(questionnaire(&name, "http://x/x".to_owned(), false, &definition(enable_behavior)))
    }

    fn coding(code: &str) -> Value {
        json!({"system": "http://x", "code": code, "display": code.to_uppercase()})
    }

    #[test]
    fn a_choice_that_exceeds_a_value_is_one_of_the_options_that_do() {
        let item = &shown("any")["item"][2];
        assert_eq!(item["enableBehavior"], "any");
        let expected = json!([
            {"question": "choice", "operator": "=", "answerCoding": coding("b")},
            {"question": "choice", "operator": "=", "answerCoding": coding("c")},
            {"question": "number", "operator": ">=", "answerDecimal": 1},
        ]);
        assert_eq!(item["enableWhen"], expected);
    }

    #[test]
    fn where_all_conditions_count_it_is_none_of_the_options_that_do_not() {
        let item = &shown("all")["item"][2];
        assert_eq!(item["enableBehavior"], "all");
        let expected = json!([
            {"question": "choice", "operator": "exists", "answerBoolean": true},
            {"question": "choice", "operator": "!=", "answerCoding": coding("a")},
            {"question": "number", "operator": ">=", "answerDecimal": 1},
        ]);
        assert_eq!(item["enableWhen"], expected);
    }

    #[test]
    fn limits_have_the_items_type() {
        let shown = shown("any");
        assert_eq!(shown["item"][1]["extension"][0], json!({"url": MIN_VALUE, "valueDecimal": 0.5}));
        assert_eq!(shown["item"][2]["extension"][0], json!({"url": MIN_VALUE, "valueInteger": 0}));
    }

    #[test]
    fn the_last_part_of_an_id_is_the_version() {
        let name = |id: &str, version: &str| Some(QuestionnaireName { id: id.to_owned(), version: version.to_owned() });
        assert_eq!(QuestionnaireName::of("phq-9-1.0"), name("phq-9", "1.0"));
        for id in ["", "phq9", "phq_9-1.0", "phq-9-1.0/x", &"x-".repeat(40), "\u{e4}-1"] {
            assert_eq!(QuestionnaireName::of(id), None, "{id}");
        }
    }
}

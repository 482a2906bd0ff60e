use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The system of identifiers that are URIs.
const URI: &str = "urn:ietf:rfc:3986";
/// The code system of purposes of signatures.
const SIGNATURE_TYPES: &str = "urn:iso-astm:E1762-95:2013";
/// The code for the signature of the author.
const AUTHORS_SIGNATURE: &str = "1.2.840.10065.1.12.1.1";

/// A concept by its code.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "what may stand there and is passed over")]
pub(in crate::fhir) struct Coding {
    #[serde(default, skip_serializing)]
    pub(in crate::fhir) id: Option<IgnoredAny>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::fhir) extension: Vec<Extension>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) system: Option<String>,
    #[serde(default, skip_serializing)]
    pub(in crate::fhir) version: Option<IgnoredAny>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) display: Option<String>,
    #[serde(default, skip_serializing)]
    pub(in crate::fhir) user_selected: Option<IgnoredAny>,
}

impl Coding {
    pub(in crate::fhir) fn new(system: &str, code: &str, display: Option<&str>) -> Self {
        Self {
            system: Some(system.to_owned()),
            code: Some(code.to_owned()),
            display: display.map(str::to_owned),
            ..Self::default()
        }
    }

    fn authors_signature() -> Self {
        Self::new(SIGNATURE_TYPES, AUTHORS_SIGNATURE, Some("Author's Signature"))
    }

    fn is_authors_signature(&self) -> bool {
        self.system.as_deref() == Some(SIGNATURE_TYPES) && self.code.as_deref() == Some(AUTHORS_SIGNATURE)
    }
}

/// An extension with a value of any type.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::fhir) struct Extension {
    pub(in crate::fhir) url: String,
    #[serde(flatten)]
    value: Map<String, Value>,
}

impl Extension {
    /// An extension with a value of this type, such as `valueInteger`.
    pub(in crate::fhir) fn new(url: &str, type_of_value: &str, value: Value) -> Self {
        Self { url: url.to_owned(), value: Map::from_iter([(type_of_value.to_owned(), value)]) }
    }

    /// The value, if it is of this type.
    pub(in crate::fhir) fn value(&self, type_of_value: &str) -> Option<&Value> {
        self.value.get(type_of_value)
    }
}

/// A business identifier, by which other systems know something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::fhir) struct Identifier {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) system: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) value: Option<String>,
}

/// A logical reference: an identifier instead of the address of a resource, because this API has no such resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::fhir) struct Reference {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    of_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<Identifier>,
}

impl Reference {
    /// A reference to the thing with this UUID.
    pub(in crate::fhir) fn to(of_type: &str, uuid: &str) -> Self {
        let identifier = Identifier { system: Some(URI.to_owned()), value: Some(format!("urn:uuid:{uuid}")) };
        Self { of_type: Some(of_type.to_owned()), identifier: Some(identifier) }
    }

    /// The UUID that the reference names, as text; none if it has another kind of identifier.
    pub(in crate::fhir) fn uuid(&self) -> Option<&str> {
        let identifier = self.identifier.as_ref().filter(|identifier| identifier.system.as_deref() == Some(URI))?;
        identifier.value.as_deref()?.strip_prefix("urn:uuid:")
    }
}

/// Who signed, when, and for which purpose.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::fhir) struct Signature {
    #[serde(rename = "type")]
    types: Vec<Coding>,
    when: String,
    pub(in crate::fhir) who: Reference,
}

impl Signature {
    pub(in crate::fhir) fn of_author(who: Reference, when: String) -> Self {
        Self { types: vec![Coding::authors_signature()], when, who }
    }

    pub(in crate::fhir) fn is_of_author(&self) -> bool {
        self.types.iter().any(Coding::is_authors_signature)
    }
}

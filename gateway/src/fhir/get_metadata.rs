use serde_json::{Value, json};

use super::base::BaseUrl;
use super::body::Fhir;

/// When the statement was last changed.
const CHANGED: &str = "2026-11-29";

/// Describes what is served here (`CapabilityStatement`). It needs no access token.
pub(super) async fn get_metadata(BaseUrl(base): BaseUrl) -> Fhir<Value> {
    Fhir(json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": CHANGED,
        "kind": "instance",
        "software": {"name": "epro gateway", "version": env!("CARGO_PKG_VERSION")},
        "implementation": {"description": "Patient-reported outcomes of a study", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [{
            "mode": "server",
            "documentation": DOCUMENTATION,
            "security": {"description": "An access token of POST /v1/sessions, as Authorization: Bearer."},
            "resource": [questionnaire(), questionnaire_response()],
        }],
    }))
}

const DOCUMENTATION: &str = "Every answer has the header traceresponse (W3C Trace Context), which names the trace that \
    shows how it came about; the diagnostics of an OperationOutcome have the trace's id, too. Errors never repeat what \
    was sent. Searches with parameters that are not listed are refused.";

fn questionnaire() -> Value {
    json!({
        "type": "Questionnaire",
        "documentation": "The id is short name and version with a hyphen between, such as phq-9-1.0.",
        "interaction": [{"code": "read"}],
        "versioning": "no-version",
    })
}

fn questionnaire_response() -> Value {
    let parameter = |name: &str, kind: &str, documentation: &str| {
        let definition = format!("http://hl7.org/fhir/SearchParameter/QuestionnaireResponse-{name}");
        json!({"name": name, "definition": definition, "type": kind, "documentation": documentation})
    };
    json!({
        "type": "QuestionnaireResponse",
        "documentation": SUBMISSIONS,
        "interaction": [{"code": "create"}, {"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "conditionalCreate": true,
        "searchParam": [
            parameter("questionnaire", "reference", "Canonical URL, with |version or without."),
            parameter("authored", "date", "With eq, ge, gt, le or lt; dates without a time are in UTC."),
        ],
    })
}

const SUBMISSIONS: &str = "A create names its submission by an Idempotency-Key header, by If-None-Exist: \
    identifier=system|value, or by the resource's identifier: a retry under the same name stores nothing new, and gets the \
    first answer; other content under it is refused. authored is the time of capture, with its offset. The patient attests \
    that the answers are their own by the extension questionnaireresponse-signature, of the type Author's Signature. \
    basedOn names the assignment by its identifier; it may be absent where there is one assignment only of the \
    questionnaire. 201: stored; 202: stored, but held for a person to look; 200: stored before (If-None-Exist). A client \
    may delete its copy on these three only.";

//! Collects one of every kind of answer that FHIR clients get.

use std::collections::BTreeMap;

use anyhow::Context;
use migrations::demo::{NURSES, PATIENTS};
use serde_json::{Value, json};
use testkit::client::{Client, Response, Token};
use testkit::fhir::{MEDIA_TYPE, RESPONSES, created, diary, gad7, phq9};
use testkit::stack::{Service, Stack};

/// Resources by name.
type Resources = BTreeMap<String, Value>;

struct Collector<'a> {
    client: &'a Client,
    patient: Token,
    nurse: Token,
    resources: Resources,
}

pub(super) async fn collect(stack: &Stack) -> anyhow::Result<Resources> {
    let client = stack.client();
    let patient = client.login(PATIENTS[0].login, PATIENTS[0].pin).await?;
    let nurse = client.login(NURSES[0].login, NURSES[0].pin).await?;
    let mut collector = Collector { client: &client, patient, nurse, resources: Resources::new() };
    collector.shown().await?;
    collector.responses(stack).await?;
    collector.errors().await?;
    Ok(collector.resources)
}

impl Collector<'_> {
    async fn shown(&mut self) -> anyhow::Result<()> {
        self.read("capability-statement", "/fhir/metadata", true).await?;
        for id in ["daily-symptom-diary", "phq-9", "gad-7"] {
            self.read(&format!("questionnaire-{id}"), &format!("/fhir/Questionnaire/{id}-1.0"), true).await?;
        }
        self.read("bundle-empty", RESPONSES, true).await
    }

    /// The responses as their patient and their nurse see them, single and in bundles.
    async fn responses(&mut self, stack: &Stack) -> anyhow::Result<()> {
        let [one, ..] = &PATIENTS;
        for (name, resource) in [
            ("diary", diary(one.id, one.assignment)),
            ("phq-9", phq9(one.id, one.phq9, [0, 1, 2, 3, 0, 1, 2, 3, 1])),
            ("phq-9-nothing", phq9(one.id, one.phq9, [0; 9])),
            ("gad-7", gad7(one.id, one.gad7, [0, 1, 2, 3, 0, 1, 2])),
        ] {
            self.resources.insert(format!("sent-{name}"), resource.clone());
            let answer = self.create(name, &resource).await?.expect_status(201)?;
            self.resources.insert(format!("created-{name}"), answer.json());
            let path = format!("{RESPONSES}/{}", created(&answer).context("no location")?);
            self.read(&format!("response-{name}-of-patient"), &path, true).await?;
            self.read(&format!("response-{name}-of-nurse"), &path, false).await?;
        }
        let first =
            self.client.submit_new(&self.patient, one.assignment).await?.expect_status(201)?.text("report_id")?;
        let amendment = json!({"answers": {"pain": 3, "temperature": 38}, "reason": "I mixed up two days."});
        let amended = self.client.amend(&self.patient, &first, "\"1\"", &amendment).await?.expect_status(201)?;
        self.read("response-amended", &format!("{RESPONSES}/{}", amended.text("report_id")?), true).await?;
        let canonical = "https%3A%2F%2Fexample.org%2Fquestionnaires%2Fphq-9%7C1.0";
        let query = format!("{RESPONSES}?questionnaire={canonical}&authored=ge2026-01-01&_count=1");
        self.read("bundle-first-page", &query, false).await?;
        let next = self.resources["bundle-first-page"].pointer("/link/1/url").and_then(Value::as_str);
        let path =
            next.and_then(|url| url.strip_prefix(&stack.url(Service::Gateway))).context("no next page")?.to_owned();
        self.read("bundle-last-page", &path, false).await
    }

    async fn errors(&mut self) -> anyhow::Result<()> {
        let [one, ..] = &PATIENTS;
        let mut wrong = diary(one.id, one.assignment);
        wrong["item"][0]["answer"][0]["valueInteger"] = json!(11);
        wrong["extension"] = json!([]);
        let rules = self.create("wrong", &wrong).await?.expect_status(422)?;
        wrong["zebra"] = json!(1);
        let structure = self.create("zebra", &wrong).await?.expect_status(422)?;
        let unnamed = self.client.create_response(&self.patient, &[], &diary(one.id, one.assignment)).await?;
        let get = async |path: &str, token: Option<&Token>| self.client.get(path, token).await;
        let outcomes = [
            ("rules", rules),
            ("structure", structure),
            ("unnamed", unnamed.expect_status(400)?),
            ("unauthenticated", get(RESPONSES, None).await?.expect_status(401)?),
            ("not-found", get("/fhir/Patient/1", Some(&self.patient)).await?.expect_status(404)?),
            ("parameter", get("/fhir/QuestionnaireResponse?x=1", Some(&self.patient)).await?.expect_status(400)?),
            ("not-acceptable", get("/fhir/metadata?_format=xml", None).await?.expect_status(406)?),
        ];
        for (name, answer) in outcomes {
            self.resources.insert(format!("outcome-{name}"), answer.json());
        }
        Ok(())
    }

    async fn create(&self, key: &str, resource: &Value) -> anyhow::Result<Response> {
        let headers = [("idempotency-key", key)];
        self.client.create_response(&self.patient, &headers, resource).await
    }

    async fn read(&mut self, name: &str, path: &str, as_patient: bool) -> anyhow::Result<()> {
        let token = if as_patient { &self.patient } else { &self.nurse };
        let answer = self.client.get(path, Some(token)).await?.expect_status(200)?;
        anyhow::ensure!(answer.header("content-type") == Some(MEDIA_TYPE), "{path} is no FHIR");
        self.resources.insert(name.to_owned(), answer.json());
        Ok(())
    }
}

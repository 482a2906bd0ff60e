//! 401, 403 and 404: missing permission.

use anyhow::Context;
use e2e::setup::deactivate;
use e2e::{NEIGHBOUR, NURSE, OTHER_NURSE, PATIENT, seen, submitted};
use jsonwebtoken::dangerous::insecure_decode;
use jsonwebtoken::{Algorithm, EncodingKey, Header, decode_header, encode};
use migrations::demo::{NURSES, PATIENTS, SITES, STUDY};
use serde_json::{Value, json};
use testkit::client::{Token, report};
use testkit::stack::Stack;
use uuid::Uuid;

use super::case::{Case, MARK};

/// Every route that needs a login, as a patient or a nurse would use it.
fn routes(report_id: &str, patient: &Token, nurse: &Token) -> (Vec<Case>, Vec<Case>) {
    let of = |name, method, path: &str| Case::new(name, method, path);
    let path = format!("/v1/reports/{report_id}");
    let patients = vec![
        Case::submission("to submit", patient, report(PATIENT.assignment).to_string()),
        of("to list one's assignments", "GET", "/v1/me/assignments").bearer(patient),
        of("to list one's reports", "GET", "/v1/reports").bearer(patient),
        of("to amend", "POST", &format!("{path}/amendments"))
            .bearer(patient)
            .header("if-match", "\"1\"")
            .header("idempotency-key", "amend")
            .json(e2e::amendment().to_string()),
    ];
    let nurses = vec![
        of("to list a site's reports", "GET", &format!("/v1/sites/{}/reports", SITES[0].id)).bearer(nurse),
        of("to review", "POST", &format!("{path}/reviews"))
            .bearer(nurse)
            .header("idempotency-key", "review")
            .json(json!({"outcome": "approved"}).to_string()),
        of("to read the audit trail", "GET", &format!("{path}/audit")).bearer(nurse),
        of("to read the study", "GET", &format!("/v1/studies/{STUDY}")).bearer(nurse),
    ];
    (patients, nurses)
}

/// Tokens with one defect each.
async fn forged(stack: &Stack, token: &Token) -> anyhow::Result<Vec<(&'static str, String)>> {
    let (private, public): (Vec<u8>, Vec<u8>) =
        sqlx::query_as("SELECT private_key, public_key FROM identity.signing_key ORDER BY created_at DESC LIMIT 1")
            .fetch_one(&mut stack.database.connect().await?)
            .await?;
    let header = decode_header(&token.0)?;
    let claims = insecure_decode::<Value>(&token.0)?.claims;
    let sign = |header: &Header, change: &dyn Fn(&mut Value)| {
        let mut claims = claims.clone();
        change(&mut claims);
        encode(header, &claims, &EncodingKey::from_ed_der(&private))
    };
    // Proves that the tokens below are refused for their defect and not for another reason.
    seen(&stack.client(), &Token(sign(&header, &|_| ())?), "/v1/reports").await.context("a token signed by us")?;

    let (head, signature) = token.0.rsplit_once('.').context("a token has three parts")?;
    let payload = head.split_once('.').context("a token has three parts")?.1;
    // Claims and header are both JSON in Base64, so the claims of one token can be the header of another.
    let header_of = |alg: &str| {
        let named = json!({"alg": alg, "typ": "JWT", "kid": header.kid});
        let token = encode(&Header::default(), &named, &EncodingKey::from_secret(MARK.as_bytes()))?;
        anyhow::Ok(token.split('.').nth(1).unwrap_or_default().to_owned())
    };
    let symmetric = Header { alg: Algorithm::HS256, ..header.clone() };
    let of_key = |kid: &str| Header { kid: Some(kid.to_owned()), ..header.clone() };
    let reversed: String = signature.chars().rev().collect();
    Ok(vec![
        ("garbage", MARK.to_owned()),
        ("garbage in three parts", format!("{MARK}.{MARK}.{MARK}")),
        ("no signature", head.to_owned()),
        ("an empty signature", format!("{head}.")),
        ("another signature", format!("{head}.{reversed}")),
        ("4,000 characters", "x".repeat(4000)),
        ("alg=none", format!("{}.{payload}.", header_of("none")?)),
        ("alg=None", format!("{}.{payload}.", header_of("None")?)),
        ("alg=none with a signature", format!("{}.{payload}.{signature}", header_of("none")?)),
        ("HS256 with the public key", encode(&symmetric, &claims, &EncodingKey::from_secret(&public))?),
        ("expired", sign(&header, &|claims| claims["exp"] = (claims["iat"].as_i64().unwrap_or_default() - 1).into())?),
        ("without an end", sign(&header, &|claims| drop(claims.as_object_mut().map(|claims| claims.remove("exp"))))?),
        ("another issuer", sign(&header, &|claims| claims["iss"] = json!(MARK))?),
        ("another audience", sign(&header, &|claims| claims["aud"] = json!(MARK))?),
        ("a session that is none", sign(&header, &|claims| claims["sub"] = json!(Uuid::new_v4()))?),
        ("a session id that is none", sign(&header, &|claims| claims["sub"] = json!(MARK))?),
        ("a key that is none", sign(&of_key(&Uuid::new_v4().to_string()), &|_| ())?),
        ("a key id that is a statement", sign(&of_key("' OR 1=1 --"), &|_| ())?),
        ("no key id", sign(&Header { kid: None, ..header.clone() }, &|_| ())?),
        ("other claims", {
            let other = sign(&header, &|claims| claims["exp"] = 9_999_999_999_u64.into())?;
            let (head, _) = other.rsplit_once('.').unwrap_or_default();
            format!("{head}.{signature}")
        }),
    ])
}

/// 401 on every route, for each defect of a token.
pub(super) async fn without_a_good_token(stack: &Stack) -> anyhow::Result<Vec<Case>> {
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let id = Uuid::new_v4().to_string();
    let (patients, nurses) = routes(&id, &token, &token);
    let mut cases: Vec<_> = [patients, nurses]
        .concat()
        .into_iter()
        .chain([
            Case::new("to read a report", "GET", format!("/v1/reports/{id}")).bearer(&token),
            Case::new("to read a questionnaire", "GET", "/v1/questionnaires/phq-9/versions/1.0").bearer(&token),
            Case::new("to log out", "DELETE", "/v1/sessions/current").bearer(&token),
        ])
        .flat_map(|case| {
            let none = case.clone().without("authorization").expect(401, "unauthenticated");
            let bad = case.instead("authorization", format!("Bearer {MARK}")).expect(401, "invalid-token");
            [none, bad]
        })
        .collect();
    let get = |name| Case::new(name, "GET", "/v1/reports");
    cases.extend([
        get("another scheme").header("authorization", "Basic emVicmE6emVicmE=").expect(401, "unauthenticated"),
        get("a scheme alone").header("authorization", "Bearer").expect(401, "unauthenticated"),
        get("two tokens").bearer(&token).bearer(&token).expect(401, "unauthenticated"),
        get("a token that is not ASCII").bearer(&Token("\u{e9}".to_owned())).expect(401, "unauthenticated"),
        Case::new("a token in the query", "GET", format!("/v1/reports?access_token={}", token.0))
            .expect(401, "unauthenticated"),
    ]);
    for (name, token) in forged(stack, &token).await? {
        cases.push(get(name).bearer(&Token(token)).expect(401, "invalid-token"));
    }
    Ok(cases)
}

/// 401 for tokens, PINs and codes that were valid before.
pub(super) async fn with_spent_tokens(stack: &Stack) -> anyhow::Result<Vec<Case>> {
    let client = stack.client();
    let credentials = json!({"login": PATIENT.login, "pin": PATIENT.pin});
    let session = async || client.post("/v1/sessions", &credentials).await?.expect_status(200);
    let access = |name, token: &str| {
        Case::new(name, "GET", "/v1/reports").bearer(&Token(token.to_owned())).expect(401, "invalid-token")
    };
    let refresh = |name, token: &str| {
        let body = json!({"refresh_token": token}).to_string();
        Case::new(name, "POST", "/v1/sessions/refresh").json(body).expect(401, "invalid-refresh-token")
    };
    let login = |name, login: &str, pin: &str| {
        let body = json!({"login": login, "pin": pin}).to_string();
        Case::new(name, "POST", "/v1/sessions").json(body).expect(401, "wrong-credentials")
    };
    let activate = |name, code: &str| {
        let body = json!({"activation_code": code, "pin": "735299"}).to_string();
        Case::new(name, "POST", "/v1/activations").json(body).expect(401, "invalid-activation-code")
    };

    // One session that continues, one whose token is stolen, and one that has ended.
    let current = session().await?;
    let first = session().await?;
    let second = client.post("/v1/sessions/refresh", &json!({"refresh_token": first.text("refresh_token")?})).await?;
    let second = second.expect_status(200)?;
    // The grace time is over, in which the first token would get its successor again.
    sqlx::query("UPDATE identity.refresh_token SET used_at = used_at - interval '1 hour'")
        .execute(&mut stack.database.connect().await?)
        .await?;
    let ended = session().await?;
    let authorization = format!("Bearer {}", ended.text("access_token")?);
    let logout = client.raw("DELETE", "/v1/sessions/current", &[("authorization", &authorization)], "").await?;
    logout.expect_status(204)?;
    Ok(vec![
        access("a refresh token as access token", &current.text("refresh_token")?),
        refresh("an access token as refresh token", &current.text("access_token")?),
        refresh("a refresh token that is none", MARK),
        refresh("an empty refresh token", ""),
        access("after the logout", &ended.text("access_token")?),
        refresh("a refresh after the logout", &ended.text("refresh_token")?),
        refresh("a refresh token for the second time", &first.text("refresh_token")?),
        refresh("the next of its family", &second.text("refresh_token")?),
        access("the first access token of the family", &first.text("access_token")?),
        access("the last access token of the family", &second.text("access_token")?),
        login("a wrong PIN", PATIENT.login, "000000"),
        login("an unknown login", MARK, PATIENT.pin),
        login("a login with NUL", "a\0b", "\0"),
        login("nothing for a login", "", ""),
        activate("an activation code that is none", MARK),
        activate("an activation code with NUL", "\0"),
    ])
}

/// 403 and 404: the person is known but has no access here.
pub(super) async fn in_the_wrong_place(stack: &Stack) -> anyhow::Result<Vec<Case>> {
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let neighbour = client.login(NEIGHBOUR.login, NEIGHBOUR.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let other_nurse = client.login(OTHER_NURSE.login, OTHER_NURSE.pin).await?;
    let report_id = submitted(&client, &patient, PATIENT).await?;
    let (unknown, other_site) = (Uuid::new_v4().to_string(), SITES[1].id);

    // Each role uses the other role's routes.
    let (patients, nurses) = routes(&report_id, &nurse, &patient);
    let mut cases: Vec<_> =
        [patients, nurses].concat().into_iter().map(|case| case.expect(403, "wrong-role")).collect();

    let get = |name, path: &str, token| Case::new(name, "GET", path).bearer(token);
    // A hidden report must look the same as an unknown one.
    for id in [&report_id, &unknown] {
        let (patients, nurses) = routes(id, &neighbour, &other_nurse);
        let path = format!("/v1/reports/{id}");
        let of_report = [
            get("a report of somebody else's", &path, &neighbour),
            get("a report of another site", &path, &other_nurse),
            get("the audit trail of another site", &format!("{path}/audit"), &other_nurse),
        ];
        cases.extend(
            of_report
                .into_iter()
                .chain(patients.into_iter().filter(|case| case.name == "to amend"))
                .chain(nurses.into_iter().filter(|case| case.name == "to review"))
                .map(|case| case.expect(404, "report-not-found")),
        );
    }
    let assignment =
        |name, id: Uuid| Case::submission(name, &patient, report(id).to_string()).expect(404, "assignment-not-found");
    let site = |name, id| get(name, &format!("/v1/sites/{id}/reports"), &nurse).expect(404, "site-not-found");
    let questionnaire = |name, path: &str| {
        get(name, &format!("/v1/questionnaires/{path}"), &patient).expect(404, "questionnaire-not-found")
    };
    cases.extend([
        assignment("an assignment of somebody else's", NEIGHBOUR.assignment),
        assignment("an assignment of another site", PATIENTS[2].assignment),
        assignment("an assignment that is none", Uuid::new_v4()),
        site("another site", other_site),
        site("a site that is none", Uuid::new_v4()),
        get("a study that is none", &format!("/v1/studies/{unknown}"), &nurse).expect(404, "study-not-found"),
        questionnaire("a questionnaire that is none", &format!("{MARK}/versions/1.0")),
        questionnaire("a version that is none", &format!("phq-9/versions/{MARK}")),
        questionnaire("a questionnaire in upper case", "PHQ-9/versions/1.0"),
        questionnaire("a questionnaire with a path in it", "..%2f..%2fetc/versions/passwd"),
        questionnaire("a questionnaire with NUL", "phq-9%00/versions/1.0"),
    ]);
    Ok(cases)
}

/// 403: a patient who has withdrawn and a nurse who has left, with otherwise valid tokens.
pub(super) async fn who_have_left(stack: &Stack) -> anyhow::Result<Vec<Case>> {
    let client = stack.client();
    let (withdrawn, left) = (&PATIENTS[3], &NURSES[3]);
    let patient = client.login(withdrawn.login, withdrawn.pin).await?;
    let nurse = client.login(left.login, left.pin).await?;
    let report_id = submitted(&client, &patient, withdrawn).await?;
    deactivate(stack, withdrawn.id).await?;
    deactivate(stack, left.id).await?;
    let (patients, nurses) = routes(&report_id, &patient, &nurse);
    let get = |name, path: &str, token| Case::new(name, "GET", path).bearer(token);
    let report = format!("/v1/reports/{report_id}");
    let anyones = [
        get("to read a report", &report, &patient),
        get("to read a report", &report, &nurse),
        get("to read a questionnaire", "/v1/questionnaires/phq-9/versions/1.0", &patient),
    ];
    Ok([patients, nurses].concat().into_iter().chain(anyones).map(|case| case.expect(403, "inactive")).collect())
}

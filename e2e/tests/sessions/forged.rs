//! Access tokens that user-svc has not issued, or not for this purpose.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::{PATIENT, problem, rows};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use testkit::client::{Client, Token, report};
use testkit::stack::Stack;
use uuid::Uuid;

use super::is_good;

/// Everything that is needed to sign tokens.
struct Forger {
    key_id: Uuid,
    private_key: Vec<u8>,
    public_key: Vec<u8>,
    session_id: Uuid,
}

impl Forger {
    /// With the study's own key and a live session.
    async fn new(stack: &Stack, client: &Client) -> anyhow::Result<Self> {
        client.login(PATIENT.login, PATIENT.pin).await?;
        let statement = sqlx::query_as(
            "SELECT key_id, private_key, public_key, session_id FROM identity.signing_key, identity.session",
        );
        let (key_id, private_key, public_key, session_id) =
            statement.fetch_one(&mut stack.database.connect().await?).await?;
        Ok(Self { key_id, private_key, public_key, session_id })
    }

    /// The claims that user-svc itself would sign.
    fn claims(&self) -> Value {
        let now = chrono::Utc::now().timestamp();
        json!({"iss": "epro", "aud": "epro-api", "sub": self.session_id, "iat": now, "exp": now + 600})
    }

    fn header(&self, algorithm: Algorithm) -> Header {
        Header { kid: Some(self.key_id.to_string()), ..Header::new(algorithm) }
    }

    fn sign(&self, header: &Header, claims: &Value) -> anyhow::Result<Token> {
        Ok(Token(encode(header, claims, &EncodingKey::from_ed_der(&self.private_key))?))
    }

    /// Signs with one claim changed, or removed if the value is null.
    fn sign_with(&self, claim: &str, value: Value) -> anyhow::Result<Token> {
        let mut claims = self.claims();
        claims[claim] = value;
        if let Some(claims) = claims.as_object_mut() {
            claims.retain(|_, value| !value.is_null());
        }
        self.sign(&self.header(Algorithm::EdDSA), &claims)
    }
}

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

#[tokio::test]
async fn a_token_is_good_for_its_issuer_audience_session_and_time_alone() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let forger = Forger::new(&stack, &client).await?;
    // Proves that the tokens below are refused for their defect and not for another reason.
    assert!(is_good(&client, &forger.sign(&forger.header(Algorithm::EdDSA), &forger.claims())?).await?);
    let now = chrono::Utc::now().timestamp();
    for (claim, value) in [
        ("iss", json!("somebody")),
        ("iss", json!(null)),
        ("aud", json!("another-api")),
        ("aud", json!(null)),
        ("exp", json!(now - 1)),
        ("exp", json!(null)),
        ("exp", json!("never")),
        ("sub", json!(Uuid::new_v4())),
        ("sub", json!("\0")),
        ("sub", json!(null)),
    ] {
        let token = forger.sign_with(claim, value.clone())?;
        assert!(!is_good(&client, &token).await?, "{claim} {value}");
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn no_algorithm_but_ours_is_believed() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let forger = Forger::new(&stack, &client).await?;
    let claims = forger.claims();
    let payload = part(&claims);
    for algorithm in ["none", "None", "NONE", "", "EdDSA"] {
        let header = part(&json!({"alg": algorithm, "typ": "JWT", "kid": forger.key_id}));
        for signature in ["", "AAAA"] {
            let token = Token(format!("{header}.{payload}.{signature}"));
            assert!(!is_good(&client, &token).await?, "{algorithm} with {signature:?}");
        }
    }
    // The public key is not secret. If it were accepted as an HMAC secret, anybody could forge tokens.
    for secret in [forger.public_key.clone(), URL_SAFE_NO_PAD.encode(&forger.public_key).into_bytes()] {
        let header = forger.header(Algorithm::HS256);
        let token = Token(encode(&header, &claims, &EncodingKey::from_secret(&secret))?);
        assert!(!is_good(&client, &token).await?);
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_token_that_was_tampered_with_opens_nothing() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let forger = Forger::new(&stack, &client).await?;
    let genuine = forger.sign(&forger.header(Algorithm::EdDSA), &forger.claims())?.0;
    let (head, signature) = genuine.rsplit_once('.').unwrap_or_default();
    let (header, payload) = head.split_once('.').unwrap_or_default();
    let mut longer = forger.claims();
    longer["exp"] = json!(4_000_000_000_u64);
    let unknown_key = Header { kid: Some(Uuid::new_v4().to_string()), ..Header::new(Algorithm::EdDSA) };
    for token in [
        format!("{header}.{}.{signature}", part(&longer)),
        format!("{head}.{}", signature.chars().rev().collect::<String>()),
        format!("{head}."),
        head.to_owned(),
        format!("{genuine}.{payload}"),
        forger.sign(&unknown_key, &forger.claims())?.0,
        forger.sign(&Header::new(Algorithm::EdDSA), &forger.claims())?.0,
    ] {
        assert!(!is_good(&client, &Token(token.clone())).await?, "{token}");
    }
    assert!(is_good(&client, &Token(genuine)).await?);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_is_no_token_at_all_opens_nothing() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    for garbage in ["garbage", "a.b.c", "...", "\u{e9}", &"x".repeat(4000)] {
        let answer = client.submit(&Token(garbage.to_owned()), "key", &report(PATIENT.assignment)).await?;
        assert_eq!(answer.status, 401, "{garbage}");
        problem(&answer, 401, answer.json()["type"].as_str().unwrap_or_default().trim_start_matches("/problems/"))?;
    }
    assert_eq!(rows(&stack).await?.reports, 0);
    stack.stop().await?;
    Ok(())
}

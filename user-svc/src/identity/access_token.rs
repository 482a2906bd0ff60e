use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use chrono::{DateTime, Utc};
use ed25519_dalek::ed25519::signature::rand_core::OsRng;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use service_kit::error::Reason;
use telemetry::postgres::Db;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::error::UserError;
use crate::store::signing_key::{self, SigningKey};

/// Signs access tokens (JWT, Ed25519) and reads them back.
///
/// The keys live in the database, so that every copy of the service has the same ones and nobody has
/// to hand them out. The first login ever makes the first key; the newest signs.
pub(crate) struct AccessTokens {
    issuer: String,
    audience: String,
    /// None until somebody logs in. Held while it is fetched, so that only one asks for it.
    signing: Mutex<Option<Arc<Signing>>>,
    verifying: RwLock<HashMap<Uuid, DecodingKey>>,
}

struct Signing {
    key_id: Uuid,
    key: EncodingKey,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// The session, not the person: a token says nothing about who holds it.
    sub: Uuid,
    iat: i64,
    exp: i64,
}

impl AccessTokens {
    pub(crate) fn new(issuer: String, audience: String) -> Self {
        Self { issuer, audience, signing: Mutex::default(), verifying: RwLock::default() }
    }

    /// What signs: fetched on its own, so that nobody waits for the key inside a transaction.
    pub(crate) async fn signer(&self, db: &Db) -> Result<Signer<'_>, UserError> {
        let mut signing = self.signing.lock().await;
        let signing = match &*signing {
            Some(known) => Arc::clone(known),
            None => Arc::clone(signing.insert(self.first_signing(db).await?)),
        };
        Ok(Signer { tokens: self, signing })
    }

    /// The session a token was made for, if it is one of ours and still good.
    pub(crate) async fn verify(&self, db: &Db, token: &str) -> Result<Uuid, UserError> {
        let header = decode_header(token).map_err(|_| UserError::Refused(Reason::InvalidToken))?;
        let key_id = header.kid.and_then(|kid| kid.parse().ok()).ok_or(UserError::Refused(Reason::InvalidToken))?;
        let key = self.verifying_key(db, key_id).await?;
        // The algorithm is ours to say, not the token's.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = 0;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        let token = decode::<Claims>(token, &key, &validation).map_err(|_| UserError::Refused(Reason::InvalidToken))?;
        Ok(token.claims.sub)
    }

    /// Takes up a new key to sign with, and forgets those that were deleted.
    pub(crate) async fn take_up_keys(&self, db: &Db) -> Result<(), UserError> {
        let keys = signing_key::list(db).await?;
        let verifying = keys.iter().map(|key| (key.key_id, DecodingKey::from_ed_der(&key.public_key)));
        if let Ok(mut known) = self.verifying.write() {
            *known = verifying.collect();
        }
        *self.signing.lock().await = keys.first().map(|newest| Arc::new(Signing::new(newest)));
        Ok(())
    }

    /// The newest key, or the first one. What it signs is verified without another look.
    async fn first_signing(&self, db: &Db) -> Result<Arc<Signing>, UserError> {
        let key = match signing_key::find_newest(db).await? {
            Some(key) => key,
            // Of two copies that start at once each may store one: both verify, the newest signs later on.
            None => signing_key::insert(db, new_key()?).await?,
        };
        self.remember(key.key_id, &DecodingKey::from_ed_der(&key.public_key));
        Ok(Arc::new(Signing::new(&key)))
    }

    async fn verifying_key(&self, db: &Db, key_id: Uuid) -> Result<DecodingKey, UserError> {
        let known = |keys: &HashMap<Uuid, DecodingKey>| keys.get(&key_id).cloned();
        if let Some(key) = self.verifying.read().ok().and_then(|keys| known(&keys)) {
            return Ok(key);
        }
        let public_key = signing_key::find_public(db, key_id).await?.ok_or(UserError::Refused(Reason::InvalidToken))?;
        let key = DecodingKey::from_ed_der(&public_key);
        self.remember(key_id, &key);
        Ok(key)
    }

    fn remember(&self, key_id: Uuid, key: &DecodingKey) {
        if let Ok(mut keys) = self.verifying.write() {
            keys.insert(key_id, key.clone());
        }
    }
}

impl std::fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessTokens").finish_non_exhaustive()
    }
}

impl Signing {
    fn new(key: &SigningKey) -> Self {
        Self { key_id: key.key_id, key: EncodingKey::from_ed_der(&key.private_key) }
    }
}

/// Makes access tokens.
pub(crate) struct Signer<'a> {
    tokens: &'a AccessTokens,
    signing: Arc<Signing>,
}

impl Signer<'_> {
    /// A token for a session.
    pub(crate) fn sign(
        &self,
        session_id: Uuid,
        issued_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<String, UserError> {
        let header = Header { kid: Some(self.signing.key_id.to_string()), ..Header::new(Algorithm::EdDSA) };
        let claims = Claims {
            iss: self.tokens.issuer.clone(),
            aud: self.tokens.audience.clone(),
            sub: session_id,
            iat: issued_at.timestamp(),
            exp: expires_at.timestamp(),
        };
        encode(&header, &claims, &self.signing.key).map_err(UserError::Signing)
    }
}

/// Makes a key that signs from now on, and gives its id.
pub(crate) async fn rotate_signing_key(db: &Db) -> Result<Uuid, UserError> {
    Ok(signing_key::insert(db, new_key()?).await?.key_id)
}

fn new_key() -> Result<SigningKey, UserError> {
    let key = ed25519_dalek::SigningKey::generate(&mut OsRng);
    let private_key = key.to_pkcs8_der().map_err(|_| UserError::Corrupt("signing key"))?;
    Ok(SigningKey {
        key_id: Uuid::new_v4(),
        private_key: private_key.as_bytes().to_vec(),
        public_key: key.verifying_key().to_bytes().to_vec(),
    })
}

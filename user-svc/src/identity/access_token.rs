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

/// Signs and verifies access tokens (JWT, Ed25519).
///
/// The keys are stored in the database, so every copy of the service has them and they need not be distributed. The
/// first login ever makes the first key. The newest key signs.
pub(crate) struct AccessTokens {
    issuer: String,
    audience: String,
    /// None until the first login. The lock is held while the key is fetched, so that only one request fetches it.
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
    /// The session's id instead of the person's: a token must not identify its holder.
    sub: Uuid,
    iat: i64,
    exp: i64,
}

impl AccessTokens {
    pub(crate) fn new(issuer: String, audience: String) -> Self {
        Self { issuer, audience, signing: Mutex::default(), verifying: RwLock::default() }
    }

    /// The key to sign with. Callers fetch it before their transaction, so that no transaction waits for it.
    pub(crate) async fn signer(&self, db: &Db) -> Result<Signer<'_>, UserError> {
        let mut signing = self.signing.lock().await;
        let signing = match &*signing {
            Some(known) => Arc::clone(known),
            None => Arc::clone(signing.insert(self.first_signing(db).await?)),
        };
        Ok(Signer { tokens: self, signing })
    }

    /// Returns the token's session if we signed the token and it has not expired.
    pub(crate) async fn verify(&self, db: &Db, token: &str) -> Result<Uuid, UserError> {
        let header = decode_header(token).map_err(|_| UserError::Refused(Reason::InvalidToken))?;
        let key_id = header.kid.and_then(|kid| kid.parse().ok()).ok_or(UserError::Refused(Reason::InvalidToken))?;
        let key = self.verifying_key(db, key_id).await?;
        // Only this algorithm is accepted, whatever the token's header says.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = 0;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        let token = decode::<Claims>(token, &key, &validation).map_err(|_| UserError::Refused(Reason::InvalidToken))?;
        Ok(token.claims.sub)
    }

    /// Loads all keys: the newest signs from now on, and deleted ones are no longer accepted.
    pub(crate) async fn take_up_keys(&self, db: &Db) -> Result<(), UserError> {
        let keys = signing_key::list(db).await?;
        let verifying = keys.iter().map(|key| (key.key_id, DecodingKey::from_ed_der(&key.public_key)));
        if let Ok(mut known) = self.verifying.write() {
            *known = verifying.collect();
        }
        *self.signing.lock().await = keys.first().map(|newest| Arc::new(Signing::new(newest)));
        Ok(())
    }

    /// The newest stored key; makes the first one if there is none. Also remembers its public key, so that verification
    /// needs no query.
    async fn first_signing(&self, db: &Db) -> Result<Arc<Signing>, UserError> {
        let key = match signing_key::find_newest(db).await? {
            Some(key) => key,
            // Two copies that start together may each store a key. Tokens of both are valid, and later on the newest
            // signs.
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

/// Signs access tokens with one key.
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

/// Stores a new key, which is used to sign from now on, and returns its id.
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

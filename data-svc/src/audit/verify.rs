use std::fmt;
use std::time::Duration;

use futures_util::TryStreamExt;
use service_kit::database::StoreError;
use telemetry::postgres::{Db, Tx};
use uuid::Uuid;

use super::chain::{Broken, GENESIS, Place, Walk};
use super::noted::NotedSeal;
use crate::store;
use crate::store::audit_seal::{Seal, Unsealed};

/// How much was checked and holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verified {
    events: u64,
    chains: u64,
    seals: u64,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events in {} chains, {} seals hold", self.events, self.chains, self.seals)
    }
}

/// Why the trail is not verified.
#[derive(Debug)]
pub(super) enum Failure {
    Broken(Broken),
    Store(StoreError),
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Checks the whole trail, and the reports, reviews and questionnaires that it covers, in one snapshot of the database.
pub(super) async fn verify(db: &Db, noted: Vec<NotedSeal>, unsealed_after: Duration) -> Result<Verified, Failure> {
    let mut tx = db.begin().await?;
    store::freeze(&mut tx).await?;
    if let Some(questionnaire_version_id) = store::questionnaire_version::first_changed(&mut tx).await? {
        let place = Place::Questionnaire { questionnaire_version_id };
        return Err(Broken { what: "a questionnaire was changed", place }.into());
    }
    let walk = events(&mut tx).await?;
    objects(&mut tx).await?;
    let seals = seals(&mut tx, noted).await?;
    if let Some(Unsealed { enrolment_id, seq }) = store::audit_seal::first_unsealed(&mut tx, unsealed_after).await? {
        let place = Place::Event { enrolment_id, seq, object_id: None };
        return Err(Broken { what: "an event has waited too long for its seal", place }.into());
    }
    tx.rollback().await?;
    Ok(Verified { events: walk.events, chains: walk.chains, seals })
}

async fn events(tx: &mut Tx<'_>) -> Result<Walk, Failure> {
    let mut walk = Walk::default();
    let mut links = store::audit_event::walk(tx);
    while let Some(link) = links.try_next().await? {
        walk.step(link)?;
    }
    walk.end()?;
    drop(links);
    if let Some(enrolment_id) = store::audit_chain::first_without_events(tx).await? {
        let place = Place::Event { enrolment_id, seq: 1, object_id: None };
        return Err(Broken { what: "an event is missing", place }.into());
    }
    Ok(walk)
}

/// Looks for reports and reviews without exactly one event, and for reports whose body does not match its hash.
async fn objects(tx: &mut Tx<'_>) -> Result<(), Failure> {
    let broken = |what| {
        move |(enrolment_id, object_id): (Uuid, Uuid)| Broken { what, place: Place::Object { enrolment_id, object_id } }
    };
    let body = store::report::first_with_other_body(tx).await?.map(broken("a report's body was changed"));
    let report = store::report::first_without_event(tx).await?.map(broken("a report has not one event"));
    let review = store::review::first_without_event(tx).await?.map(broken("a review has not one event"));
    body.or(report).or(review).map_or(Ok(()), |broken| Err(broken.into()))
}

async fn seals(tx: &mut Tx<'_>, mut noted: Vec<NotedSeal>) -> Result<u64, Failure> {
    let mut count = 0;
    let mut last: Option<Seal> = None;
    let mut seals = store::audit_seal::walk(tx);
    while let Some(seal) = seals.try_next().await? {
        follows(last.as_ref().filter(|last| last.study_id == seal.study_id), &seal)?;
        noted.retain(|noted| !noted.is(&seal));
        count += 1;
        last = Some(seal);
    }
    drop(seals);
    if let Some(head) = store::audit_seal::first_lost_head(tx).await? {
        let store::audit_seal::Head { study_id, seal_seq, enrolment_id, event_seq } = head;
        let place = Place::SealedHead { study_id, seal_seq, enrolment_id, event_seq };
        return Err(Broken { what: "a sealed event is missing", place }.into());
    }
    if let Some(noted) = noted.first() {
        let place = Place::Seal { study_id: noted.study_id, seq: noted.seq };
        return Err(Broken { what: "a noted seal is not the stored one", place }.into());
    }
    Ok(count)
}

fn follows(last: Option<&Seal>, seal: &Seal) -> Result<(), Broken> {
    let (last_seq, last_hash) = last.map_or((0, &GENESIS[..]), |last| (last.seq, &last.hash));
    let place = |seq| Place::Seal { study_id: seal.study_id, seq };
    if seal.seq != last_seq + 1 {
        Err(Broken { what: "a seal is missing", place: place(last_seq + 1) })
    } else if seal.prev_hash != last_hash {
        Err(Broken { what: "a seal does not follow the one before it", place: place(seal.seq) })
    } else if seal.hash != seal.recomputed {
        Err(Broken { what: "a seal was changed", place: place(seal.seq) })
    } else {
        Ok(())
    }
}

use std::time::Duration;

use futures_util::stream::BoxStream;
use service_kit::database::interval;
use sqlx::{PgExecutor, query_as, query_scalar};
use telemetry::postgres::Tx;
use uuid::Uuid;

/// A seal that was just set.
pub(crate) struct Sealed {
    pub(crate) study_id: Uuid,
    pub(crate) seq: i64,
    /// In hexadecimal digits.
    pub(crate) hash: String,
}

/// A stored seal, and the hash that it should have.
#[derive(Debug)]
pub(crate) struct Seal {
    pub(crate) study_id: Uuid,
    pub(crate) seq: i64,
    pub(crate) prev_hash: Vec<u8>,
    pub(crate) hash: Vec<u8>,
    pub(crate) recomputed: Vec<u8>,
}

/// The head of a chain as a seal contains it.
pub(crate) struct Head {
    pub(crate) study_id: Uuid,
    pub(crate) seal_seq: i64,
    pub(crate) enrolment_id: Uuid,
    pub(crate) event_seq: i64,
}

/// An event that no seal covers.
pub(crate) struct Unsealed {
    pub(crate) enrolment_id: Uuid,
    pub(crate) seq: i64,
}

/// Seals the heads of the chains of every study in which a chain has grown since the study's last seal.
///
/// If two copies of the service do so at the same time, the second one waits here for the first, and then finds that
/// its seal exists already. Both go through the studies in the same order, so that they cannot deadlock.
pub(crate) async fn seal(executor: impl PgExecutor<'_>) -> sqlx::Result<Vec<Sealed>> {
    query_as!(
        Sealed,
        r#"WITH head AS MATERIALIZED (
               SELECT study_id, enrolment_id, seq AS event_seq, hash AS event_hash
               FROM clinical.audit_chain
               JOIN clinical.enrolment USING (enrolment_id)
               WHERE NOT EXISTS (SELECT FROM clinical.audit_seal_head AS sealed
                                 WHERE sealed.enrolment_id = audit_chain.enrolment_id
                                   AND sealed.event_seq >= audit_chain.seq)
           ), moved AS (
               SELECT study_id, jsonb_agg(jsonb_build_array(enrolment_id, event_seq, encode(event_hash, 'hex'))
                                          ORDER BY enrolment_id) AS heads
               FROM head
               GROUP BY study_id
           ), next AS (
               SELECT study_id, coalesce(last.seq, 0) + 1 AS seq,
                      coalesce(last.hash, decode(repeat('00', 32), 'hex')) AS prev_hash, heads,
                      greatest(now(), last.sealed_at) AS sealed_at
               FROM moved
               LEFT JOIN LATERAL (SELECT seq, hash, sealed_at FROM clinical.audit_seal
                                  WHERE audit_seal.study_id = moved.study_id
                                  ORDER BY seq DESC LIMIT 1) AS last ON true
           ), seal AS (
               INSERT INTO clinical.audit_seal (study_id, seq, prev_hash, hash, sealed_at)
               SELECT study_id, seq, prev_hash,
                      clinical.audit_seal_hash(prev_hash, study_id, seq, sealed_at, heads), sealed_at
               FROM next
               ORDER BY study_id
               ON CONFLICT DO NOTHING
               RETURNING study_id, seq, hash
           ), sealed AS (
               INSERT INTO clinical.audit_seal_head (study_id, seal_seq, enrolment_id, event_seq, event_hash)
               SELECT study_id, seq, enrolment_id, event_seq, event_hash
               FROM seal
               JOIN head USING (study_id)
           )
           SELECT study_id, seq, encode(hash, 'hex') AS "hash!" FROM seal"#,
    )
    .fetch_all(executor)
    .await
}

/// Age in seconds of the oldest event that has no seal yet; zero if there is none.
pub(crate) async fn longest_wait(executor: impl PgExecutor<'_>) -> sqlx::Result<f64> {
    query_scalar!(
        r#"SELECT greatest(coalesce(extract(epoch FROM now() - min(unsealed.recorded_at)), 0), 0)::double precision
                      AS "wait!"
           FROM clinical.audit_chain
           CROSS JOIN LATERAL (
               SELECT recorded_at
               FROM clinical.audit_event
               WHERE audit_event.enrolment_id = audit_chain.enrolment_id
                 AND audit_event.seq > (SELECT coalesce(max(event_seq), 0) FROM clinical.audit_seal_head AS sealed
                                        WHERE sealed.enrolment_id = audit_chain.enrolment_id)
               ORDER BY seq
               LIMIT 1
           ) AS unsealed"#,
    )
    .fetch_one(executor)
    .await
}

/// The first event that is older than this and has no seal.
pub(crate) async fn first_unsealed(tx: &mut Tx<'_>, older_than: Duration) -> sqlx::Result<Option<Unsealed>> {
    query_as!(
        Unsealed,
        "SELECT enrolment_id, seq
         FROM clinical.audit_event AS event
         WHERE recorded_at < now() - $1::interval
           AND NOT EXISTS (SELECT FROM clinical.audit_seal_head AS sealed
                           WHERE sealed.enrolment_id = event.enrolment_id AND event_seq >= event.seq)
         ORDER BY enrolment_id, seq
         LIMIT 1",
        interval(older_than),
    )
    .fetch_optional(tx)
    .await
}

/// All seals, ordered by study and sequence number.
pub(crate) fn walk<'t>(tx: &'t mut Tx<'_>) -> BoxStream<'t, sqlx::Result<Seal>> {
    query_as!(
        Seal,
        r#"SELECT study_id, seq, prev_hash, hash, clinical.audit_seal_hash(
                      prev_hash, study_id, seq, sealed_at,
                      (SELECT jsonb_agg(jsonb_build_array(enrolment_id, event_seq, encode(event_hash, 'hex'))
                                        ORDER BY enrolment_id)
                       FROM clinical.audit_seal_head
                       WHERE audit_seal_head.study_id = audit_seal.study_id AND seal_seq = seq)) AS "recomputed!"
           FROM clinical.audit_seal
           ORDER BY study_id, seq"#,
    )
    .fetch(tx)
}

/// The first sealed head whose event or whose seal is missing.
pub(crate) async fn first_lost_head(tx: &mut Tx<'_>) -> sqlx::Result<Option<Head>> {
    query_as!(
        Head,
        "SELECT study_id, seal_seq, enrolment_id, event_seq
         FROM clinical.audit_seal_head AS head
         WHERE NOT EXISTS (SELECT FROM clinical.audit_event
                           WHERE audit_event.enrolment_id = head.enrolment_id
                             AND seq = event_seq AND hash = event_hash)
            OR NOT EXISTS (SELECT FROM clinical.audit_seal
                           WHERE audit_seal.study_id = head.study_id AND seq = seal_seq)
         ORDER BY study_id, seal_seq, enrolment_id
         LIMIT 1",
    )
    .fetch_optional(tx)
    .await
}

use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use sqlx::{query, query_as};
use telemetry::TraceContext;
use telemetry::postgres::Tx;
use uuid::Uuid;

mod read;

pub(crate) use read::{Recorded, list};

/// What a person did to a report or a review. The report or review must be stored already.
pub(crate) struct Event<'a> {
    pub(crate) enrolment_id: Uuid,
    pub(crate) actor_id: Uuid,
    pub(crate) action: Action,
    /// The report or the review.
    pub(crate) object_id: Uuid,
    /// The revision that the report replaces.
    pub(crate) replaces: Option<Uuid>,
    pub(crate) reason: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Amend,
    Review,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Create => "report.create",
            Self::Amend => "report.amend",
            Self::Review => "report.review",
        }
    }
}

/// Appends an event, with the current trace id, to the chain of its enrolment. Its hashes cover what the transaction
/// has stored so far, so alerts must be stored first.
///
/// Another event of the same enrolment waits here until this transaction ends. This is one statement, because each
/// round trip would make that wait longer. The time and the context are read after the wait, so that they fit the
/// event's place in the chain.
pub(crate) async fn insert(tx: &mut Tx<'_>, event: Event<'_>) -> sqlx::Result<()> {
    query!(
        "WITH event AS MATERIALIZED (
             SELECT $1::uuid AS enrolment_id, $2::uuid AS actor_id, $3::text AS action, $4::uuid AS object_id,
                    clinical.report_digest_2($5) AS before_hash,
                    CASE $3 WHEN 'report.review' THEN clinical.review_digest($4)
                            ELSE clinical.report_digest_2($4) END AS after_hash,
                    $6::text AS reason, $7::text AS trace_id
         ), link AS (
             INSERT INTO clinical.audit_chain AS last (enrolment_id, seq, prev_hash, hash, recorded_at, context_hash)
             SELECT enrolment_id, 1, genesis, clinical.audit_event_hash_2(
                        genesis, enrolment_id, 1, actor_id, NULL, action, object_id, before_hash, after_hash, context,
                        NULL, reason, trace_id, moment), moment, context
             FROM event, decode(repeat('00', 32), 'hex') AS genesis, clock_timestamp() AS moment,
                  clinical.current_context(enrolment_id) AS context
             ON CONFLICT (enrolment_id) DO UPDATE
             SET (seq, prev_hash, hash, recorded_at, context_hash) = (
                 SELECT last.seq + 1, last.hash, clinical.audit_event_hash_2(
                            last.hash, enrolment_id, last.seq + 1, actor_id, NULL, action, object_id,
                            before_hash, after_hash, context, NULL, reason, trace_id, moment), moment, context
                 FROM event, greatest(clock_timestamp(), last.recorded_at) AS moment,
                      clinical.current_context(enrolment_id) AS context
             )
             RETURNING enrolment_id, seq, prev_hash, hash, recorded_at, context_hash
         )
         INSERT INTO clinical.audit_event (enrolment_id, seq, actor_id, action, object_id, before_hash, after_hash,
                                           context_hash, reason, trace_id, recorded_at, prev_hash, hash)
         SELECT enrolment_id, seq, actor_id, action, object_id, before_hash, after_hash,
                context_hash, reason, trace_id, recorded_at, prev_hash, hash
         FROM event JOIN link USING (enrolment_id)",
        event.enrolment_id,
        event.actor_id,
        event.action.as_str(),
        event.object_id,
        event.replaces,
        event.reason,
        TraceContext::current().trace_id().to_string(),
    )
    .execute(tx)
    .await
    .map(drop)
}

/// A stored event, with the present state of the objects that it is about.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) enrolment_id: Uuid,
    pub(crate) seq: i64,
    pub(crate) object_id: Uuid,
    pub(crate) before_hash: Option<Vec<u8>>,
    pub(crate) after_hash: Vec<u8>,
    pub(crate) prev_hash: Vec<u8>,
    pub(crate) hash: Vec<u8>,
    /// The hash that it should have.
    pub(crate) recomputed: Vec<u8>,
    /// Hash of the enrolment's context (person, site, study). `None` in old events, which have no context.
    pub(crate) context_hash: Option<Vec<u8>>,
    /// Whether this event changes the context.
    pub(crate) changes_context: bool,
    pub(crate) recorded_at: DateTime<Utc>,
    /// Hash of the enrolment's present context; only in the last event of a chain.
    pub(crate) current_context: Option<Vec<u8>>,
    /// Digest of the report or the review. `None` if the enrolment has no such object.
    pub(crate) object: Option<Vec<u8>>,
    /// Digest of the revision that the report replaces.
    pub(crate) replaced: Option<Vec<u8>>,
    /// The head of the enrolment's chain.
    pub(crate) head_seq: Option<i64>,
    pub(crate) head_hash: Option<Vec<u8>>,
}

/// All events, ordered by enrolment and sequence number.
pub(crate) fn walk<'t>(tx: &'t mut Tx<'_>) -> BoxStream<'t, sqlx::Result<Link>> {
    query_as!(
        Link,
        r#"SELECT event.enrolment_id, event.seq, object_id, before_hash, after_hash, event.prev_hash, event.hash,
                  CASE WHEN event.context_hash IS NULL THEN clinical.audit_event_hash(
                           event.prev_hash, event.enrolment_id, event.seq, actor_id, action,
                           object_id, before_hash, after_hash, event.reason, trace_id, event.recorded_at)
                       ELSE clinical.audit_event_hash_2(
                           event.prev_hash, event.enrolment_id, event.seq, actor_id, actor_role, action,
                           object_id, before_hash, after_hash, event.context_hash, changes, event.reason, trace_id,
                           event.recorded_at)
                  END AS "recomputed!",
                  event.context_hash, action = 'enrolment.change' AS "changes_context!", event.recorded_at,
                  CASE event.seq WHEN head.seq THEN clinical.current_context(event.enrolment_id) END
                      AS current_context,
                  object.digest AS "object?", object.replaced AS "replaced?",
                  head.seq AS "head_seq?", head.hash AS "head_hash?"
           FROM clinical.audit_event AS event
           LEFT JOIN clinical.audit_chain AS head ON head.enrolment_id = event.enrolment_id
           LEFT JOIN LATERAL (
               SELECT CASE WHEN event.context_hash IS NULL THEN clinical.report_digest(report_id)
                           ELSE clinical.report_digest_2(report_id) END AS digest,
                      CASE WHEN event.context_hash IS NULL THEN clinical.report_digest(supersedes)
                           WHEN action = 'report.amend' THEN clinical.report_digest_2(supersedes) END AS replaced
               FROM clinical.report
               WHERE report_id = object_id AND report.enrolment_id = event.enrolment_id
                 AND action IN ('report.record', CASE revision WHEN 1 THEN 'report.create' ELSE 'report.amend' END)
               UNION ALL
               SELECT event.context_hash, before_hash
               WHERE action = 'enrolment.change' AND object_id = event.enrolment_id
               UNION ALL
               SELECT after_hash, before_hash
               FROM clinical.assignment
               WHERE assignment_id = object_id AND assignment.enrolment_id = event.enrolment_id
                 AND action = 'assignment.reschedule'
               UNION ALL
               SELECT clinical.review_digest(review_id), NULL
               FROM clinical.review
               JOIN clinical.report USING (report_id)
               WHERE review_id = object_id AND report.enrolment_id = event.enrolment_id AND action = 'report.review'
           ) AS object ON true
           ORDER BY event.enrolment_id, event.seq"#,
    )
    .fetch(tx)
}

-- A study's records are kept until its sponsor says that they need not be any longer, and then go as a whole.

ALTER TABLE clinical.study
    -- The first day on which nothing has to be kept any more; none: nobody has said so yet.
    ADD COLUMN retain_until date CHECK (retain_until BETWEEN '1900-01-01' AND '2199-12-31');

-- What stays of a study that was purged.
CREATE TABLE clinical.purge (
    -- no reference: the study is gone
    study_id      uuid PRIMARY KEY,
    code          text NOT NULL,
    closed_at     timestamptz NOT NULL,
    retain_until  date NOT NULL CHECK (retain_until BETWEEN '1900-01-01' AND '2199-12-31'),
    purged_at     timestamptz NOT NULL DEFAULT now(),
    -- the role of the database session
    purged_by     text NOT NULL DEFAULT session_user,
    reason        text NOT NULL CHECK (reason <> ''),
    enrolments    bigint NOT NULL,
    reports       bigint NOT NULL,
    audit_events  bigint NOT NULL,
    -- the study's last seal, which an export of its records can still be compared with
    last_seal_seq bigint,
    last_seal     bytea CHECK (octet_length(last_seal) = 32),
    CHECK ((last_seal_seq IS NULL) = (last_seal IS NULL)),
    CONSTRAINT purge_closed_at_calendar CHECK (closed_at >= '0002-01-01T00:00Z' AND closed_at < '9999-01-01T00:00Z'),
    CONSTRAINT purge_purged_at_calendar CHECK (purged_at >= '0002-01-01T00:00Z' AND purged_at < '9999-01-01T00:00Z')
);

-- What is written stays, unless the transaction has noted a purge first, which stays itself.
CREATE OR REPLACE FUNCTION clinical.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME <> 'purge'
       AND EXISTS (SELECT FROM clinical.purge WHERE purged_at = transaction_timestamp()) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE FUNCTION clinical.refuse_change_of_window() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND (current_setting('epro.moves_windows', true) = 'on' AND OLD.opens_at > now()
                             OR EXISTS (SELECT FROM clinical.purge WHERE purged_at = transaction_timestamp())) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only_row BEFORE UPDATE OR DELETE ON clinical.purge
FOR EACH ROW EXECUTE FUNCTION clinical.refuse_change();
CREATE TRIGGER append_only_table BEFORE TRUNCATE ON clinical.purge
FOR EACH STATEMENT EXECUTE FUNCTION clinical.refuse_change();

-- For each report that goes, the keys that lead to it are looked for; without an index in all of them.
CREATE INDEX idempotency_report ON clinical.idempotency (report_id);
CREATE INDEX idempotency_review ON clinical.idempotency (review_id) WHERE review_id IS NOT NULL;

-- Why a study must not be purged yet; NULL if it may.
CREATE FUNCTION clinical.purge_obstacle(of_study clinical.study) RETURNS text
LANGUAGE sql STABLE
-- As text: a parsed body would keep PostgreSQL 17 from adding columns to the table.
AS $$
    SELECT CASE
        WHEN of_study.closed_at IS NULL OR of_study.closed_at > now() THEN 'it is open: closed_at'
        WHEN of_study.retain_until IS NULL THEN 'nobody has said how long to keep it: retain_until'
        WHEN of_study.retain_until > current_date THEN 'it is to be kept until ' || of_study.retain_until
        WHEN of_study.closed_at + of_study.sync_for > now() OR EXISTS (
            SELECT FROM clinical.fill_window
            JOIN clinical.assignment USING (assignment_id)
            JOIN clinical.enrolment USING (enrolment_id)
            WHERE enrolment.study_id = of_study.study_id AND opens_at < of_study.closed_at AND sync_until > now()
        ) THEN 'reports that were captured before it was closed may still arrive'
        WHEN EXISTS (
            SELECT FROM clinical.notification
            JOIN clinical.site USING (site_id)
            WHERE site.study_id = of_study.study_id AND state = 'pending'
        ) THEN 'its nurses are still being told of reports'
        WHEN EXISTS (
            SELECT FROM clinical.audit_chain
            JOIN clinical.enrolment USING (enrolment_id)
            WHERE enrolment.study_id = of_study.study_id AND NOT EXISTS (
                SELECT FROM clinical.audit_seal_head AS head
                WHERE head.enrolment_id = audit_chain.enrolment_id AND head.event_seq = audit_chain.seq)
        ) THEN 'its audit trail is not sealed up to the end'
    END
$$;

-- Deletes a study and everything that belongs to it. Gives its id, its sites, and the people who take part in no other.
-- Only the schema's owner may call it.
CREATE FUNCTION clinical.purge_study(
    of_code text, why text, OUT study_id uuid, OUT sites uuid[], OUT people uuid[], OUT enrolments bigint, OUT reports bigint
)
LANGUAGE plpgsql AS $$
DECLARE
    subject  clinical.study;
    obstacle text;
    members  uuid[];
BEGIN
    -- Nobody enrols, or begins to tell of a report, meanwhile.
    SELECT * INTO subject FROM clinical.study WHERE study.code = of_code FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no study %', of_code USING ERRCODE = 'no_data_found';
    END IF;
    obstacle := clinical.purge_obstacle(subject);
    IF obstacle IS NOT NULL THEN
        RAISE EXCEPTION 'study % must not be purged: %', of_code, obstacle USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;

    study_id := subject.study_id;
    sites := ARRAY(SELECT site_id FROM clinical.site WHERE site.study_id = subject.study_id);
    members := ARRAY(SELECT enrolment_id FROM clinical.enrolment WHERE enrolment.study_id = subject.study_id);
    people := ARRAY(
        SELECT person_id FROM clinical.enrolment WHERE enrolment.study_id = subject.study_id
        EXCEPT
        SELECT person_id FROM clinical.enrolment WHERE enrolment.study_id <> subject.study_id);
    enrolments := cardinality(members);
    reports := (SELECT count(*) FROM clinical.report WHERE enrolment_id = ANY (members));
    INSERT INTO clinical.purge (study_id, code, closed_at, retain_until, reason, enrolments, reports, audit_events,
                                last_seal_seq, last_seal)
    SELECT subject.study_id, subject.code, subject.closed_at, subject.retain_until, why, purge_study.enrolments,
           purge_study.reports, (SELECT count(*) FROM clinical.audit_event WHERE enrolment_id = ANY (members)), seal.seq, seal.hash
    FROM (VALUES (1)) AS one
    LEFT JOIN (
        SELECT seq, hash FROM clinical.audit_seal WHERE audit_seal.study_id = subject.study_id ORDER BY seq DESC LIMIT 1
    ) AS seal ON true;

    DELETE FROM clinical.delivery_attempt USING clinical.notification JOIN clinical.report USING (report_id)
        WHERE delivery_attempt.notification_id = notification.notification_id AND enrolment_id = ANY (members);
    DELETE FROM clinical.notification USING clinical.report
        WHERE notification.report_id = report.report_id AND enrolment_id = ANY (members);
    DELETE FROM clinical.untold_report WHERE untold_report.study_id = subject.study_id;
    DELETE FROM clinical.idempotency WHERE enrolment_id = ANY (members);
    DELETE FROM clinical.review USING clinical.report
        WHERE review.report_id = report.report_id AND enrolment_id = ANY (members);
    DELETE FROM clinical.alert USING clinical.report
        WHERE alert.report_id = report.report_id AND enrolment_id = ANY (members);
    DELETE FROM clinical.audit_seal_head WHERE audit_seal_head.study_id = subject.study_id;
    DELETE FROM clinical.audit_seal WHERE audit_seal.study_id = subject.study_id;
    DELETE FROM clinical.audit_event WHERE enrolment_id = ANY (members);
    DELETE FROM clinical.audit_chain WHERE enrolment_id = ANY (members);
    DELETE FROM clinical.report WHERE enrolment_id = ANY (members);
    DELETE FROM clinical.fill_window USING clinical.assignment
        WHERE fill_window.assignment_id = assignment.assignment_id AND assignment.enrolment_id = ANY (members);
    DELETE FROM clinical.assignment WHERE enrolment_id = ANY (members);
    DELETE FROM clinical.enrolment WHERE enrolment_id = ANY (members);
    DELETE FROM clinical.site WHERE site.study_id = subject.study_id;
    DELETE FROM clinical.study WHERE study.study_id = subject.study_id;
END $$;
REVOKE ALL ON FUNCTION clinical.purge_study FROM PUBLIC;

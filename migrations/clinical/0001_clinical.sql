-- Studies, reports and what must be told about them. Read and written by data-svc alone.

CREATE TABLE clinical.study (
    study_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    code     text NOT NULL UNIQUE,
    title    text NOT NULL
);

CREATE TABLE clinical.site (
    site_id   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_id  uuid NOT NULL REFERENCES clinical.study,
    code      text NOT NULL,
    name      text NOT NULL,
    -- IANA name
    time_zone text NOT NULL,
    UNIQUE (study_id, code)
);

-- A person inside one study. The person's name and addresses are not in this schema.
CREATE TABLE clinical.enrolment (
    enrolment_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_id     uuid NOT NULL REFERENCES clinical.study,
    site_id      uuid NOT NULL REFERENCES clinical.site,
    person_id    uuid NOT NULL,
    subject_code text NOT NULL,
    -- IANA name
    time_zone    text NOT NULL,
    enrolled_at  timestamptz NOT NULL,
    UNIQUE (study_id, person_id),
    UNIQUE (study_id, subject_code)
);
CREATE INDEX enrolment_site ON clinical.enrolment (site_id);

CREATE TABLE clinical.questionnaire_version (
    questionnaire_version_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    url        text NOT NULL,
    version    text NOT NULL,
    definition jsonb NOT NULL,
    UNIQUE (url, version)
);

CREATE TABLE clinical.assignment (
    assignment_id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    enrolment_id             uuid NOT NULL REFERENCES clinical.enrolment,
    questionnaire_version_id uuid NOT NULL REFERENCES clinical.questionnaire_version,
    -- `event`: may be filled in at any time
    schedule                 text NOT NULL CHECK (schedule IN ('event')),
    UNIQUE (assignment_id, enrolment_id)
);

CREATE TABLE clinical.report (
    report_id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    assignment_id           uuid NOT NULL,
    enrolment_id            uuid NOT NULL,
    revision                integer NOT NULL DEFAULT 1 CHECK (revision >= 1),
    supersedes              uuid UNIQUE REFERENCES clinical.report,
    -- the phone's clock
    captured_at             timestamptz NOT NULL,
    captured_offset_seconds integer NOT NULL,
    -- ours
    received_at             timestamptz NOT NULL DEFAULT now(),
    answers                 jsonb NOT NULL,
    -- what came over the wire, byte for byte
    raw_body                bytea NOT NULL,
    raw_sha256              bytea NOT NULL CHECK (octet_length(raw_sha256) = 32),
    FOREIGN KEY (assignment_id, enrolment_id) REFERENCES clinical.assignment (assignment_id, enrolment_id),
    CHECK ((revision = 1) = (supersedes IS NULL))
);
CREATE INDEX report_enrolment ON clinical.report (enrolment_id);

-- What was answered to which key, so that a retry gets the same answer.
CREATE TABLE clinical.idempotency (
    enrolment_id uuid NOT NULL REFERENCES clinical.enrolment,
    key          text NOT NULL CHECK (char_length(key) BETWEEN 1 AND 255),
    -- SHA-256 of the body
    fingerprint  bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    report_id    uuid NOT NULL REFERENCES clinical.report DEFERRABLE INITIALLY DEFERRED,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (enrolment_id, key)
);

CREATE TABLE clinical.audit_event (
    audit_event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    enrolment_id   uuid NOT NULL REFERENCES clinical.enrolment,
    actor_id       uuid NOT NULL,
    action         text NOT NULL,
    object_id      uuid NOT NULL,
    -- SHA-256 of the object after the action
    after_hash     bytea NOT NULL CHECK (octet_length(after_hash) = 32),
    trace_id       text,
    recorded_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_event_object ON clinical.audit_event (object_id);

-- The outbox: one row per report revision, nurse and channel, written with the report.
-- It holds ids only; addresses are looked up when a message is sent.
CREATE TABLE clinical.notification (
    notification_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    report_id       uuid NOT NULL REFERENCES clinical.report,
    site_id         uuid NOT NULL REFERENCES clinical.site,
    recipient_id    uuid NOT NULL,
    channel         text NOT NULL CHECK (channel IN ('sms', 'email')),
    dedupe_key      text NOT NULL UNIQUE
                    GENERATED ALWAYS AS (report_id::text || ':' || recipient_id::text || ':' || channel) STORED,
    -- pending -> delivered | dead | cancelled (nobody to tell any more)
    state           text NOT NULL DEFAULT 'pending'
                    CHECK (state IN ('pending', 'delivered', 'dead', 'cancelled')),
    due_at          timestamptz NOT NULL DEFAULT now(),
    -- a worker holds it until then
    lease_until     timestamptz,
    attempts        integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- W3C traceparent of the submission
    traceparent     text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX notification_due ON clinical.notification (due_at) WHERE state = 'pending';
CREATE INDEX notification_report ON clinical.notification (report_id);

CREATE TABLE clinical.delivery_attempt (
    notification_id uuid NOT NULL REFERENCES clinical.notification,
    attempt         integer NOT NULL CHECK (attempt >= 1),
    outcome         text NOT NULL
                    CHECK (outcome IN ('delivered', 'temporary_failure', 'permanent_failure', 'no_recipient')),
    trace_id        text,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (notification_id, attempt)
);

-- What is written stays. The grants below say the same to the service; this says it to everybody.
CREATE FUNCTION clinical.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['report', 'audit_event', 'delivery_attempt'] LOOP
        EXECUTE format('CREATE TRIGGER append_only_row BEFORE UPDATE OR DELETE ON clinical.%I
                        FOR EACH ROW EXECUTE FUNCTION clinical.refuse_change()', name);
        EXECUTE format('CREATE TRIGGER append_only_table BEFORE TRUNCATE ON clinical.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION clinical.refuse_change()', name);
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA clinical TO data_svc;
GRANT SELECT ON clinical.study, clinical.site, clinical.enrolment,
                clinical.questionnaire_version, clinical.assignment TO data_svc;
GRANT SELECT, INSERT ON clinical.report, clinical.idempotency, clinical.audit_event,
                        clinical.delivery_attempt TO data_svc;
GRANT SELECT, INSERT ON clinical.notification TO data_svc;
GRANT UPDATE (state, due_at, lease_until, attempts) ON clinical.notification TO data_svc;

-- Instruments, windows, revisions, reviews, and an audit trail that shows when it was touched.

ALTER TABLE clinical.study
    -- since then the study takes no reports
    ADD COLUMN closed_at timestamptz;

ALTER TABLE clinical.enrolment
    -- the first day of the patient's schedules, in their own time zone
    ADD COLUMN baseline_date date CHECK (baseline_date BETWEEN '1900-01-01' AND '2199-12-31');
CREATE INDEX enrolment_person ON clinical.enrolment (person_id);
UPDATE clinical.enrolment SET baseline_date = (enrolled_at AT TIME ZONE time_zone)::date;
ALTER TABLE clinical.enrolment ALTER COLUMN baseline_date SET NOT NULL;

ALTER TABLE clinical.questionnaire_version
    -- the instrument's short name, as in the API
    ADD COLUMN questionnaire_id text,
    ADD COLUMN sha256           bytea,
    -- since then it is not to be filled in any more
    ADD COLUMN retired_at       timestamptz;
-- One condition becomes a list of them.
UPDATE clinical.questionnaire_version
SET definition = replace(definition::text,
                         '"enable_when": {"equals": true, "link_id": "rescue"}',
                         '"enable_when": [{"link_id": "rescue", "operator": "=", "answer": true}]')::jsonb;
UPDATE clinical.questionnaire_version
SET questionnaire_id = regexp_replace(url, '^.*/', ''), sha256 = sha256(convert_to(definition::text, 'UTF8'));
ALTER TABLE clinical.questionnaire_version
    ALTER COLUMN questionnaire_id SET NOT NULL,
    ALTER COLUMN sha256 SET NOT NULL,
    ADD CHECK (sha256 = sha256(convert_to(definition::text, 'UTF8'))),
    ADD CHECK (coalesce(jsonb_typeof(definition -> 'title') = 'string'
                        AND jsonb_typeof(definition -> 'items') = 'array', false)),
    ADD UNIQUE (questionnaire_id, version);

ALTER TABLE clinical.assignment
    DROP CONSTRAINT assignment_schedule_check,
    -- `event`: at any time; `scheduled`: once in each window
    ADD CHECK (schedule IN ('event', 'scheduled')),
    -- How the windows of a `scheduled` assignment are made, in the patient's time zone:
    -- days from the baseline date to the first one
    ADD COLUMN first_day  integer CHECK (first_day >= 0),
    -- days from one to the next
    ADD COLUMN every_days integer CHECK (every_days >= 1),
    ADD COLUMN windows    integer CHECK (windows BETWEEN 1 AND 3660),
    ADD COLUMN opens      time CHECK (opens < '24:00'),
    -- not later than `opens`: on the day after
    ADD COLUMN closes     time CHECK (closes < '24:00'),
    -- how long after a window's end its report may still arrive
    ADD COLUMN sync_for   interval CHECK (sync_for >= interval '0' AND isfinite(sync_for)),
    ADD CHECK (num_nonnulls(first_day, every_days, windows, opens, closes, sync_for)
               = CASE schedule WHEN 'scheduled' THEN 6 ELSE 0 END);

CREATE INDEX assignment_enrolment ON clinical.assignment (enrolment_id);

-- The windows of scheduled assignments, made once by data-svc.
CREATE TABLE clinical.fill_window (
    window_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    assignment_id uuid NOT NULL REFERENCES clinical.assignment,
    seq           integer NOT NULL CHECK (seq >= 1),
    opens_at      timestamptz NOT NULL,
    closes_at     timestamptz NOT NULL,
    sync_until    timestamptz NOT NULL,
    CHECK (opens_at < closes_at AND closes_at <= sync_until),
    UNIQUE (assignment_id, seq),
    UNIQUE (window_id, assignment_id),
    EXCLUDE USING gist (assignment_id WITH =, tstzrange(opens_at, closes_at) WITH &&)
);

ALTER TABLE clinical.report
    -- of a scheduled assignment
    ADD COLUMN window_id    uuid,
    ADD COLUMN disposition  text NOT NULL DEFAULT 'accepted' CHECK (disposition IN ('accepted', 'held')),
    -- why a person must look
    ADD COLUMN held_because text[] NOT NULL DEFAULT '{}',
    ADD COLUMN score        integer,
    ADD COLUMN score_band   text,
    -- why there is a new revision
    ADD COLUMN reason       text,
    ADD FOREIGN KEY (window_id, assignment_id) REFERENCES clinical.fill_window (window_id, assignment_id),
    ADD UNIQUE (window_id, revision),
    ADD CHECK ((disposition = 'held') = (cardinality(held_because) > 0)),
    ADD CHECK ((revision = 1) = (reason IS NULL));
CREATE INDEX report_received ON clinical.report (enrolment_id, received_at DESC, report_id DESC);
DROP INDEX clinical.report_enrolment;

-- A rule of the questionnaire that a report's answers have set off.
CREATE TABLE clinical.alert (
    report_id uuid NOT NULL REFERENCES clinical.report,
    rule      text NOT NULL,
    urgent    boolean NOT NULL,
    PRIMARY KEY (report_id, rule)
);

-- A nurse's verdict on one revision of a report.
CREATE TABLE clinical.review (
    review_id   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    report_id   uuid NOT NULL UNIQUE REFERENCES clinical.report,
    reviewer_id uuid NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('approved', 'has_issues', 'rejected')),
    recorded_at timestamptz NOT NULL DEFAULT now()
);

-- SHA-256 of all that is stored of one object, for the audit trail. Times count in microseconds since
-- 1970, because their text depends on the session's time zone.
--
-- Every report is digested and hashed once while its enrolment's chain is locked. A function in SQL that the
-- planner cannot put into the statement is planned anew each time, which took longer than all the rest of it. It
-- puts in what promises no more than what it calls: jsonb_build_array and extract are only stable.
CREATE FUNCTION clinical.micros(moment timestamptz) RETURNS bigint
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN (extract(epoch FROM moment) * 1000000)::bigint;

-- With the questionnaire it answers. A statement inside is never put in; PL/pgSQL keeps its plan for the session.
CREATE FUNCTION clinical.report_digest(subject uuid) RETURNS bytea
LANGUAGE plpgsql STABLE STRICT AS $$
BEGIN
    RETURN (
        SELECT sha256(convert_to(jsonb_build_array(
            report_id, assignment_id, enrolment_id, window_id, revision, supersedes,
            clinical.micros(captured_at), captured_offset_seconds, clinical.micros(received_at),
            answers, encode(sha256(raw_body), 'hex'), encode(raw_sha256, 'hex'),
            disposition, held_because, score, score_band, reason,
            (SELECT jsonb_agg(jsonb_build_array(rule, urgent) ORDER BY rule COLLATE "C")
             FROM clinical.alert WHERE alert.report_id = report.report_id),
            (SELECT encode(sha256, 'hex')
             FROM clinical.assignment JOIN clinical.questionnaire_version USING (questionnaire_version_id)
             WHERE assignment.assignment_id = report.assignment_id)
        )::text, 'UTF8'))
        FROM clinical.report WHERE report_id = subject
    );
END $$;

CREATE FUNCTION clinical.review_digest(subject uuid) RETURNS bytea
LANGUAGE sql STABLE STRICT
RETURN (
    SELECT sha256(convert_to(jsonb_build_array(
        review_id, report_id, reviewer_id, outcome, clinical.micros(recorded_at)
    )::text, 'UTF8'))
    FROM clinical.review WHERE review_id = subject
);

-- An event's place in its enrolment's chain: the hash of the event before it is part of its own.
CREATE FUNCTION clinical.audit_event_hash(
    prev_hash bytea, enrolment_id uuid, seq bigint, actor_id uuid, action text, object_id uuid,
    before_hash bytea, after_hash bytea, reason text, trace_id text, recorded_at timestamptz
) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(convert_to(jsonb_build_array(
    encode(prev_hash, 'hex'), enrolment_id, seq, actor_id, action, object_id,
    encode(before_hash, 'hex'), encode(after_hash, 'hex'), reason, trace_id, clinical.micros(recorded_at)
)::text, 'UTF8'));

-- The last link of each enrolment's chain. Who adds an event holds this row's lock until the commit.
CREATE TABLE clinical.audit_chain (
    enrolment_id uuid PRIMARY KEY REFERENCES clinical.enrolment,
    seq          bigint NOT NULL CHECK (seq >= 1),
    prev_hash    bytea NOT NULL CHECK (octet_length(prev_hash) = 32),
    hash         bytea NOT NULL CHECK (octet_length(hash) = 32)
);

ALTER TABLE clinical.audit_event
    ADD COLUMN seq         bigint CHECK (seq >= 1),
    ADD COLUMN before_hash bytea CHECK (octet_length(before_hash) = 32),
    ADD COLUMN reason      text,
    ADD COLUMN prev_hash   bytea CHECK (octet_length(prev_hash) = 32),
    ADD COLUMN hash        bytea CHECK (octet_length(hash) = 32);

-- What was written before there was a chain becomes its beginning.
ALTER TABLE clinical.audit_event DISABLE TRIGGER append_only_row;
DO $$
DECLARE
    event clinical.audit_event;
    link  clinical.audit_chain;
BEGIN
    FOR event IN SELECT * FROM clinical.audit_event ORDER BY audit_event_id LOOP
        SELECT * INTO link FROM clinical.audit_chain WHERE audit_chain.enrolment_id = event.enrolment_id;
        event.seq := coalesce(link.seq, 0) + 1;
        event.prev_hash := coalesce(link.hash, decode(repeat('00', 32), 'hex'));
        event.after_hash := clinical.report_digest(event.object_id);
        event.hash := clinical.audit_event_hash(
            event.prev_hash, event.enrolment_id, event.seq, event.actor_id, event.action, event.object_id,
            event.before_hash, event.after_hash, event.reason, event.trace_id, event.recorded_at);
        UPDATE clinical.audit_event
        SET seq = event.seq, prev_hash = event.prev_hash, after_hash = event.after_hash, hash = event.hash
        WHERE audit_event_id = event.audit_event_id;
        INSERT INTO clinical.audit_chain VALUES (event.enrolment_id, event.seq, event.prev_hash, event.hash)
        ON CONFLICT (enrolment_id) DO UPDATE
        SET seq = excluded.seq, prev_hash = excluded.prev_hash, hash = excluded.hash;
    END LOOP;
END $$;
ALTER TABLE clinical.audit_event ENABLE TRIGGER append_only_row;
ALTER TABLE clinical.audit_event
    ALTER COLUMN seq SET NOT NULL,
    ALTER COLUMN prev_hash SET NOT NULL,
    ALTER COLUMN hash SET NOT NULL,
    ADD UNIQUE (enrolment_id, seq);

-- The heads of a study's chains at one moment, chained in their turn: a dropped tail shows.
CREATE TABLE clinical.audit_seal (
    study_id  uuid NOT NULL REFERENCES clinical.study,
    seq       bigint NOT NULL CHECK (seq >= 1),
    prev_hash bytea NOT NULL CHECK (octet_length(prev_hash) = 32),
    hash      bytea NOT NULL CHECK (octet_length(hash) = 32),
    sealed_at timestamptz NOT NULL,
    PRIMARY KEY (study_id, seq)
);

-- A seal's place in its study's chain: the hash of the seal before it is part of its own. `heads` are the
-- sealed heads as [enrolment, seq, hash in hex], sorted by enrolment.
CREATE FUNCTION clinical.audit_seal_hash(
    prev_hash bytea, study_id uuid, seq bigint, sealed_at timestamptz, heads jsonb
) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(convert_to(jsonb_build_array(
    encode(prev_hash, 'hex'), study_id, seq, clinical.micros(sealed_at), heads
)::text, 'UTF8'));

-- The heads that a seal is about: those that have moved since the seal before.
CREATE TABLE clinical.audit_seal_head (
    study_id     uuid NOT NULL,
    seal_seq     bigint NOT NULL,
    enrolment_id uuid NOT NULL REFERENCES clinical.enrolment,
    event_seq    bigint NOT NULL,
    event_hash   bytea NOT NULL CHECK (octet_length(event_hash) = 32),
    PRIMARY KEY (study_id, seal_seq, enrolment_id),
    FOREIGN KEY (study_id, seal_seq) REFERENCES clinical.audit_seal (study_id, seq) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX audit_seal_head_enrolment ON clinical.audit_seal_head (enrolment_id, event_seq);

-- An instrument is frozen; only its retirement can be noted, once.
CREATE TRIGGER frozen_row BEFORE UPDATE ON clinical.questionnaire_version FOR EACH ROW
WHEN (OLD.retired_at IS NOT NULL
      OR (OLD.questionnaire_version_id, OLD.questionnaire_id, OLD.url, OLD.version, OLD.definition, OLD.sha256)
         IS DISTINCT FROM
         (NEW.questionnaire_version_id, NEW.questionnaire_id, NEW.url, NEW.version, NEW.definition, NEW.sha256))
EXECUTE FUNCTION clinical.refuse_change();
CREATE TRIGGER frozen_delete BEFORE DELETE ON clinical.questionnaire_version
FOR EACH ROW EXECUTE FUNCTION clinical.refuse_change();
CREATE TRIGGER frozen_table BEFORE TRUNCATE ON clinical.questionnaire_version
FOR EACH STATEMENT EXECUTE FUNCTION clinical.refuse_change();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['alert', 'review', 'fill_window', 'audit_seal', 'audit_seal_head'] LOOP
        EXECUTE format('CREATE TRIGGER append_only_row BEFORE UPDATE OR DELETE ON clinical.%I
                        FOR EACH ROW EXECUTE FUNCTION clinical.refuse_change()', name);
        EXECUTE format('CREATE TRIGGER append_only_table BEFORE TRUNCATE ON clinical.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION clinical.refuse_change()', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON clinical.fill_window, clinical.alert, clinical.review,
                        clinical.audit_seal, clinical.audit_seal_head TO data_svc;
GRANT SELECT, INSERT ON clinical.audit_chain TO data_svc;
GRANT UPDATE (seq, prev_hash, hash) ON clinical.audit_chain TO data_svc;

-- Whatever gives a report its meaning is part of the audit trail, times do not run backwards along a chain, and windows
-- move with the patient.

ALTER TABLE clinical.audit_chain
    -- of the last event: none that follows is earlier
    ADD COLUMN recorded_at  timestamptz,
    -- who the enrolment was, and where, at the last event
    ADD COLUMN context_hash bytea CHECK (octet_length(context_hash) = 32);
UPDATE clinical.audit_chain SET recorded_at = (
    SELECT max(recorded_at) FROM clinical.audit_event WHERE audit_event.enrolment_id = audit_chain.enrolment_id
);

ALTER TABLE clinical.audit_event
    -- Who the enrolment was, and where, at that time. Events from before this was noted have none, and digests of
    -- the first kind.
    ADD COLUMN context_hash bytea CHECK (octet_length(context_hash) = 32),
    -- the role of the database session, where nobody acted through the API
    ADD COLUMN actor_role   text,
    -- of what is not a report or a review: {table: {column: [what it was, what it has become]}}
    ADD COLUMN changes      jsonb,
    ALTER COLUMN actor_id DROP NOT NULL,
    ADD CHECK (num_nonnulls(actor_id, actor_role) = 1);

-- Who a report is about, and where they take part.
CREATE FUNCTION clinical.enrolment_digest(
    enrolment clinical.enrolment, site clinical.site, study clinical.study
) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
-- As text: a parsed body would keep PostgreSQL 17 from adding columns to these tables.
AS $$ SELECT sha256(convert_to(jsonb_build_array(
    (enrolment).enrolment_id, (enrolment).study_id, (enrolment).site_id, (enrolment).person_id,
    (enrolment).subject_code, (enrolment).time_zone, clinical.micros((enrolment).enrolled_at),
    (enrolment).baseline_date, (site).site_id, (site).study_id, (site).code, (site).name, (site).time_zone,
    (study).study_id, (study).code, (study).title
)::text, 'UTF8')) $$;

-- Volatile, so that it sees what has been committed while its statement waited for a lock.
CREATE FUNCTION clinical.current_context(subject uuid) RETURNS bytea
LANGUAGE plpgsql VOLATILE STRICT AS $$
BEGIN
    RETURN (
        SELECT clinical.enrolment_digest(enrolment, site, study)
        FROM clinical.enrolment
        JOIN clinical.site USING (site_id)
        JOIN clinical.study ON study.study_id = enrolment.study_id
        WHERE enrolment.enrolment_id = subject
    );
END $$;

-- The second kind of a report's digest: with the window that it was captured in, and with what it was an answer to.
CREATE FUNCTION clinical.report_digest_2(subject uuid) RETURNS bytea
LANGUAGE plpgsql STABLE STRICT AS $$
BEGIN
    RETURN (
        SELECT sha256(convert_to(jsonb_build_array(
            encode(clinical.report_digest(report_id), 'hex'),
            (SELECT jsonb_build_array(seq, clinical.micros(opens_at), clinical.micros(closes_at),
                                      clinical.micros(sync_until))
             FROM clinical.fill_window WHERE fill_window.window_id = report.window_id),
            assignment.enrolment_id, assignment.questionnaire_version_id, schedule, first_day, every_days, windows,
            opens, closes, extract(epoch FROM sync_for)::bigint, questionnaire_id, url, version
        )::text, 'UTF8'))
        FROM clinical.report
        JOIN clinical.assignment ON assignment.assignment_id = report.assignment_id
        JOIN clinical.questionnaire_version USING (questionnaire_version_id)
        WHERE report_id = subject
    );
END $$;

-- The second kind of an event's hash, of all that the event says.
CREATE FUNCTION clinical.audit_event_hash_2(
    prev_hash bytea, enrolment_id uuid, seq bigint, actor_id uuid, actor_role text, action text, object_id uuid,
    before_hash bytea, after_hash bytea, context_hash bytea, changes jsonb, reason text, trace_id text,
    recorded_at timestamptz
) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(convert_to(jsonb_build_array(
    2, encode(prev_hash, 'hex'), enrolment_id, seq, actor_id, actor_role, action, object_id,
    encode(before_hash, 'hex'), encode(after_hash, 'hex'), encode(context_hash, 'hex'), changes, reason, trace_id,
    clinical.micros(recorded_at)
)::text, 'UTF8'));

-- Locks the end of an enrolment's chain, which may have no events yet, and gives it.
CREATE FUNCTION clinical.hold_chain(subject uuid) RETURNS clinical.audit_chain
LANGUAGE plpgsql AS $$
DECLARE
    genesis bytea := decode(repeat('00', 32), 'hex');
    link    clinical.audit_chain;
BEGIN
    INSERT INTO clinical.audit_chain (enrolment_id, seq, prev_hash, hash)
    VALUES (subject, 1, genesis, genesis)
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        link.enrolment_id := subject;
        link.seq := 0;
        link.hash := genesis;
    ELSE
        SELECT * INTO link FROM clinical.audit_chain WHERE enrolment_id = subject FOR UPDATE;
    END IF;
    RETURN link;
END $$;

-- Adds an event that no request has caused to the chain that is held. Who makes it may say why: SET epro.reason.
CREATE FUNCTION clinical.append_event(
    link clinical.audit_chain, action text, object_id uuid, before_hash bytea, after_hash bytea, context_hash bytea,
    changes jsonb
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    event clinical.audit_event;
BEGIN
    event.enrolment_id := link.enrolment_id;
    event.seq := link.seq + 1;
    event.actor_role := session_user;
    event.action := action;
    event.object_id := object_id;
    event.before_hash := before_hash;
    event.after_hash := after_hash;
    event.context_hash := context_hash;
    event.changes := changes;
    event.reason := nullif(current_setting('epro.reason', true), '');
    event.recorded_at := greatest(clock_timestamp(), link.recorded_at);
    event.prev_hash := link.hash;
    event.hash := clinical.audit_event_hash_2(
        event.prev_hash, event.enrolment_id, event.seq, event.actor_id, event.actor_role, event.action,
        event.object_id, event.before_hash, event.after_hash, event.context_hash, event.changes, event.reason,
        event.trace_id, event.recorded_at);
    UPDATE clinical.audit_chain
    SET seq = event.seq, prev_hash = event.prev_hash, hash = event.hash, recorded_at = event.recorded_at,
        context_hash = event.context_hash
    WHERE audit_chain.enrolment_id = event.enrolment_id;
    INSERT INTO clinical.audit_event (enrolment_id, seq, actor_role, action, object_id, before_hash, after_hash,
                                      context_hash, changes, reason, recorded_at, prev_hash, hash)
    VALUES (event.enrolment_id, event.seq, event.actor_role, event.action, event.object_id, event.before_hash,
            event.after_hash, event.context_hash, event.changes, event.reason, event.recorded_at, event.prev_hash,
            event.hash);
END $$;

-- What two rows of a table do not agree in, as an event has it.
CREATE FUNCTION clinical.differences(of_table text, before jsonb, after jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT jsonb_build_object(of_table, jsonb_object_agg(key, jsonb_build_array(was.value, has_become.value)))
    FROM jsonb_each(before) AS was
    JOIN jsonb_each(after) AS has_become USING (key)
    WHERE was.value IS DISTINCT FROM has_become.value
);

-- Notes in an enrolment's chain that it, its site or its study has become another; what has not changed of these three
-- is NULL.
CREATE FUNCTION clinical.note_change(
    subject uuid, enrolment_was clinical.enrolment, site_was clinical.site, study_was clinical.study, changes jsonb
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    link   clinical.audit_chain := clinical.hold_chain(subject);
    before bytea;
    after  bytea := clinical.current_context(subject);
BEGIN
    -- Only now that the chain is held nobody else changes what is read here.
    SELECT clinical.enrolment_digest(
               coalesce(enrolment_was, enrolment), coalesce(site_was, site), coalesce(study_was, study))
    INTO before
    FROM clinical.enrolment
    JOIN clinical.site ON site.site_id = coalesce((enrolment_was).site_id, enrolment.site_id)
    JOIN clinical.study ON study.study_id = coalesce((enrolment_was).study_id, enrolment.study_id)
    WHERE enrolment.enrolment_id = subject;
    PERFORM clinical.append_event(link, 'enrolment.change', subject, before, after, after, changes);
END $$;

-- With the rights of the schema's owner: whoever may change these tables cannot do so without an event.
CREATE FUNCTION clinical.note_change_of_enrolment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM clinical.note_change(
        NEW.enrolment_id, OLD, NULL, NULL, clinical.differences(TG_TABLE_NAME, to_jsonb(OLD), to_jsonb(NEW)));
    RETURN NULL;
END $$;
CREATE TRIGGER note_change AFTER UPDATE ON clinical.enrolment FOR EACH ROW
WHEN ((OLD.study_id, OLD.site_id, OLD.person_id, OLD.subject_code, OLD.time_zone, OLD.enrolled_at, OLD.baseline_date)
      IS DISTINCT FROM
      (NEW.study_id, NEW.site_id, NEW.person_id, NEW.subject_code, NEW.time_zone, NEW.enrolled_at, NEW.baseline_date))
EXECUTE FUNCTION clinical.note_change_of_enrolment();

-- Nobody moves an enrolment to a site or a study, or makes one there, while that changes: it would be in neither one's
-- list. Submissions go on, which lock enrolments by the row.
CREATE FUNCTION clinical.hold_enrolments() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    LOCK TABLE clinical.enrolment IN SHARE MODE;
    RETURN NULL;
END $$;
CREATE TRIGGER hold_enrolments BEFORE UPDATE ON clinical.site
FOR EACH STATEMENT EXECUTE FUNCTION clinical.hold_enrolments();
CREATE TRIGGER hold_enrolments BEFORE UPDATE ON clinical.study
FOR EACH STATEMENT EXECUTE FUNCTION clinical.hold_enrolments();

-- In one order, so that no two of them can wait for each other.
CREATE FUNCTION clinical.note_change_of_site() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changes jsonb := clinical.differences(TG_TABLE_NAME, to_jsonb(OLD), to_jsonb(NEW));
    subject uuid;
BEGIN
    FOR subject IN SELECT enrolment_id FROM clinical.enrolment WHERE site_id = NEW.site_id ORDER BY enrolment_id LOOP
        PERFORM clinical.note_change(subject, NULL, OLD, NULL, changes);
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER note_change AFTER UPDATE ON clinical.site FOR EACH ROW
WHEN ((OLD.study_id, OLD.code, OLD.name, OLD.time_zone) IS DISTINCT FROM
      (NEW.study_id, NEW.code, NEW.name, NEW.time_zone))
EXECUTE FUNCTION clinical.note_change_of_site();

CREATE FUNCTION clinical.note_change_of_study() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changes jsonb := clinical.differences(TG_TABLE_NAME, to_jsonb(OLD), to_jsonb(NEW));
    subject uuid;
BEGIN
    FOR subject IN SELECT enrolment_id FROM clinical.enrolment WHERE study_id = NEW.study_id ORDER BY enrolment_id LOOP
        PERFORM clinical.note_change(subject, NULL, NULL, OLD, changes);
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER note_change AFTER UPDATE ON clinical.study FOR EACH ROW
WHEN ((OLD.code, OLD.title) IS DISTINCT FROM (NEW.code, NEW.title))
EXECUTE FUNCTION clinical.note_change_of_study();

-- What reports are answers to is frozen once there are windows or reports.
CREATE FUNCTION clinical.refuse_change_in_use() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM clinical.report WHERE report.assignment_id = OLD.assignment_id)
       OR EXISTS (SELECT FROM clinical.fill_window WHERE fill_window.assignment_id = OLD.assignment_id) THEN
        RAISE EXCEPTION 'clinical.assignment is frozen: it is in use' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER frozen_row BEFORE UPDATE OR DELETE ON clinical.assignment
FOR EACH ROW EXECUTE FUNCTION clinical.refuse_change_in_use();

ALTER TABLE clinical.fill_window
    -- The zone that it was made in, an IANA name, which the patient may leave before it opens. None: not made from
    -- the assignment's plan, and it stays whatever becomes of that.
    ADD COLUMN time_zone text;
ALTER TABLE clinical.fill_window DISABLE TRIGGER append_only_row;
UPDATE clinical.fill_window SET time_zone = enrolment.time_zone
FROM clinical.assignment JOIN clinical.enrolment USING (enrolment_id)
WHERE assignment.assignment_id = fill_window.assignment_id;
ALTER TABLE clinical.fill_window ENABLE TRIGGER append_only_row;

-- A window that has not opened makes room for another one, by the function below and in no other way.
CREATE FUNCTION clinical.refuse_change_of_window() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('epro.moves_windows', true) = 'on' AND OLD.opens_at > now() THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER append_only_row ON clinical.fill_window;
CREATE TRIGGER append_only_row BEFORE UPDATE OR DELETE ON clinical.fill_window
FOR EACH ROW EXECUTE FUNCTION clinical.refuse_change_of_window();

-- All windows of an assignment.
CREATE FUNCTION clinical.windows_digest(subject uuid) RETURNS bytea
LANGUAGE sql STABLE
RETURN (
    SELECT sha256(convert_to(coalesce(jsonb_agg(jsonb_build_array(
        seq, clinical.micros(opens_at), clinical.micros(closes_at), clinical.micros(sync_until), time_zone
    ) ORDER BY seq), '[]')::text, 'UTF8'))
    FROM clinical.fill_window WHERE assignment_id = subject
);

-- Puts the windows of an assignment that have not opened, and in which nothing was captured, where they are in another
-- zone; those that have opened stay. `seqs` and the rest are all the plan's windows there. One that would be over by
-- now, or that those that stay leave no room, is left out, as one that a clock skips is. Nothing happens if the
-- patient has gone on to another zone.
--
-- With the rights of the schema's owner, because data-svc may not remove windows in any other way.
CREATE FUNCTION clinical.move_windows(
    subject uuid, zone text, seqs integer[], opens timestamptz[], closes timestamptz[], syncs timestamptz[]
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before_hash  bytea;
    waiting      uuid[];
    waiting_seqs integer[];
    zone_before  text;
    moved        bigint;
    patient      uuid;
    link         clinical.audit_chain;
BEGIN
    -- Who captures a report in one of them at this moment comes first, and its window stays.
    PERFORM FROM clinical.fill_window
    WHERE assignment_id = subject AND opens_at > now() AND time_zone <> zone
    ORDER BY seq
    FOR UPDATE;
    SELECT array_agg(window_id ORDER BY seq), array_agg(seq ORDER BY seq), min(time_zone)
    INTO waiting, waiting_seqs, zone_before
    FROM clinical.fill_window
    WHERE assignment_id = subject AND opens_at > now() AND time_zone <> zone
      AND NOT EXISTS (SELECT FROM clinical.report WHERE report.window_id = fill_window.window_id);
    SELECT enrolment_id INTO patient
    FROM clinical.assignment JOIN clinical.enrolment USING (enrolment_id)
    WHERE assignment_id = subject AND enrolment.time_zone = zone;
    IF waiting IS NULL OR patient IS NULL THEN
        RETURN;
    END IF;

    link := clinical.hold_chain(patient);
    before_hash := clinical.windows_digest(subject);
    PERFORM set_config('epro.moves_windows', 'on', true);
    DELETE FROM clinical.fill_window WHERE window_id = ANY (waiting);
    PERFORM set_config('epro.moves_windows', 'off', true);
    INSERT INTO clinical.fill_window (window_id, assignment_id, seq, opens_at, closes_at, sync_until, time_zone)
    SELECT was.window_id, subject, was.seq, room.opens_at, room.closes_at, planned.sync_until, zone
    FROM unnest(waiting, waiting_seqs) AS was (window_id, seq)
    JOIN unnest(seqs, opens, closes, syncs) AS planned (seq, opens_at, closes_at, sync_until) USING (seq)
    CROSS JOIN LATERAL (
        SELECT greatest(planned.opens_at, max(stays.closes_at) FILTER (WHERE stays.seq < was.seq)) AS opens_at,
               least(planned.closes_at, min(stays.opens_at) FILTER (WHERE stays.seq > was.seq)) AS closes_at
        FROM clinical.fill_window AS stays
        WHERE stays.assignment_id = subject
    ) AS room
    WHERE room.opens_at < room.closes_at AND room.closes_at > now();
    GET DIAGNOSTICS moved = ROW_COUNT;
    PERFORM clinical.append_event(
        link, 'assignment.reschedule', subject, before_hash, clinical.windows_digest(subject),
        clinical.current_context(patient),
        jsonb_build_object('fill_window', jsonb_build_object(
            'time_zone', jsonb_build_array(zone_before, zone),
            'windows', jsonb_build_array(cardinality(waiting), moved))));
END $$;

-- What was written before has a digest of the second kind from now on.
DO $$
DECLARE
    one    record;
    digest bytea;
BEGIN
    FOR one IN SELECT report_id, enrolment_id FROM clinical.report ORDER BY enrolment_id, received_at, report_id LOOP
        digest := clinical.report_digest_2(one.report_id);
        PERFORM clinical.append_event(
            clinical.hold_chain(one.enrolment_id), 'report.record', one.report_id, NULL, digest,
            clinical.current_context(one.enrolment_id), NULL);
    END LOOP;
END $$;

GRANT UPDATE (recorded_at, context_hash) ON clinical.audit_chain TO data_svc;
REVOKE EXECUTE ON FUNCTION clinical.move_windows FROM PUBLIC;
GRANT EXECUTE ON FUNCTION clinical.move_windows TO data_svc;

-- A seal's place in its study's chain: the hash of the seal before it is part of its own. `heads` are the
-- sealed heads as [enrolment, seq, hash in hex], sorted by enrolment.
CREATE FUNCTION clinical.audit_seal_hash(
    prev_hash bytea, study_id uuid, seq bigint, sealed_at timestamptz, heads jsonb
) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(convert_to(jsonb_build_array(
    encode(prev_hash, 'hex'), study_id, seq, clinical.micros(sealed_at), heads
)::text, 'UTF8'));

-- Every report is digested and hashed once while its enrolment's chain is locked. A function in SQL that the
-- planner cannot put into the statement is planned anew each time, which took longer than all the rest of it.
-- It puts in what promises no more than what it calls: jsonb_build_array and extract are only stable.
ALTER FUNCTION clinical.micros STABLE;
ALTER FUNCTION clinical.audit_event_hash STABLE;
-- A statement inside is never put in; PL/pgSQL keeps its plan for the session.
CREATE OR REPLACE FUNCTION clinical.report_digest(subject uuid) RETURNS bytea
LANGUAGE plpgsql STABLE STRICT AS $$
BEGIN
    RETURN (
        SELECT sha256(convert_to(jsonb_build_array(
            report_id, assignment_id, enrolment_id, window_id, revision, supersedes,
            clinical.micros(captured_at), captured_offset_seconds, clinical.micros(received_at),
            answers, encode(sha256(raw_body), 'hex'), encode(raw_sha256, 'hex'),
            disposition, held_because, score, score_band, reason,
            (SELECT jsonb_agg(jsonb_build_array(rule, urgent) ORDER BY rule COLLATE "C")
             FROM clinical.alert WHERE alert.report_id = report.report_id)
        )::text, 'UTF8'))
        FROM clinical.report WHERE report_id = subject
    );
END $$;

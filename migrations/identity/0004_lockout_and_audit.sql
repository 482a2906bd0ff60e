-- Guessing PINs has an end, and what happens to logins and sessions is kept for good.

ALTER TABLE identity.credential
    -- since then no PIN opens a session, until a nurse or an activation code sets the login free
    ADD COLUMN blocked_at timestamptz;
COMMENT ON COLUMN identity.credential.failures IS
    'wrong PINs since the last right one, over all locks; attempts while it is locked do not count';
GRANT UPDATE (blocked_at) ON identity.credential TO user_svc;

-- What happened to somebody's login and sessions. Ids only, so that it can be kept as long as the study's records.
CREATE TABLE identity.audit_event (
    audit_event_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- whose login or session it is
    person_id      uuid NOT NULL REFERENCES identity.person,
    -- the nurse who did it, where it was not the person, or whoever had their login
    actor_id       uuid REFERENCES identity.person,
    action         text NOT NULL CHECK (action IN (
                       'login', 'login.fail', 'login.lock', 'login.block', 'login.free',
                       'session.refresh', 'session.replay', 'session.end', 'activation.issue', 'pin.set')),
    -- no reference: sessions are deleted some time after their end
    session_id     uuid,
    trace_id       text CHECK (trace_id ~ '^[0-9a-f]{32}$'),
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    CHECK ((action IN ('login', 'session.refresh', 'session.replay', 'session.end')) = (session_id IS NOT NULL))
);
CREATE INDEX audit_event_person ON identity.audit_event (person_id, recorded_at);
CREATE INDEX audit_event_attack ON identity.audit_event (recorded_at, audit_event_id)
    WHERE action IN ('login.lock', 'login.block', 'session.replay');

CREATE FUNCTION identity.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only_row BEFORE UPDATE OR DELETE ON identity.audit_event
    FOR EACH ROW EXECUTE FUNCTION identity.refuse_change();
CREATE TRIGGER append_only_table BEFORE TRUNCATE ON identity.audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION identity.refuse_change();
GRANT SELECT, INSERT ON identity.audit_event TO user_svc;

-- What is over is deleted by these functions and by nothing else: the service has no right to delete a row. Each
-- takes a limited number, passes over what somebody else holds, and says how many it was.

CREATE INDEX session_over ON identity.session ((least(revoked_at, expires_at)));
CREATE INDEX refresh_token_seed ON identity.refresh_token (used_at) WHERE successor_seed IS NOT NULL;

-- Refresh tokens of sessions that ended before `ended_before`.
CREATE FUNCTION identity.delete_refresh_tokens(ended_before timestamptz, most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    WITH old AS (
        SELECT token_hash
        FROM identity.session
        JOIN identity.refresh_token USING (session_id)
        WHERE least(revoked_at, expires_at) < least(ended_before, now())
        LIMIT most
        FOR UPDATE OF refresh_token SKIP LOCKED
    ), deleted AS (
        DELETE FROM identity.refresh_token USING old WHERE refresh_token.token_hash = old.token_hash RETURNING 1
    )
    SELECT count(*) FROM deleted;
END;

-- Sessions that ended before `ended_before` and have no refresh tokens any more.
CREATE FUNCTION identity.delete_sessions(ended_before timestamptz, most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    WITH old AS (
        SELECT session_id
        FROM identity.session
        WHERE least(revoked_at, expires_at) < least(ended_before, now())
          AND NOT EXISTS (SELECT FROM identity.refresh_token WHERE refresh_token.session_id = session.session_id)
        LIMIT most
        FOR UPDATE SKIP LOCKED
    ), deleted AS (
        DELETE FROM identity.session USING old WHERE session.session_id = old.session_id RETURNING 1
    )
    SELECT count(*) FROM deleted;
END;

-- Activation codes that were used or expired before `over_before`.
CREATE FUNCTION identity.delete_activations(over_before timestamptz, most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    WITH old AS (
        SELECT code_hash
        FROM identity.activation
        WHERE least(used_at, expires_at) < least(over_before, now())
        LIMIT most
        FOR UPDATE SKIP LOCKED
    ), deleted AS (
        DELETE FROM identity.activation USING old WHERE activation.code_hash = old.code_hash RETURNING 1
    )
    SELECT count(*) FROM deleted;
END;

REVOKE ALL ON FUNCTION identity.delete_refresh_tokens, identity.delete_sessions, identity.delete_activations
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION identity.delete_refresh_tokens, identity.delete_sessions, identity.delete_activations
    TO user_svc;

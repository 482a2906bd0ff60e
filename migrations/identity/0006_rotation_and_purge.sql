-- Keys that were replaced, and people of a study that was purged, are deleted.

-- Signing keys that were replaced before `replaced_before`: what they have signed has ended by then. The newest stays.
CREATE FUNCTION identity.delete_signing_keys(replaced_before timestamptz) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    WITH key AS (
        SELECT key_id, lead(created_at) OVER (ORDER BY created_at, key_id DESC) AS replaced_at
        FROM identity.signing_key
    ), deleted AS (
        DELETE FROM identity.signing_key USING key
        WHERE signing_key.key_id = key.key_id AND key.replaced_at <= least(replaced_before, now())
        RETURNING 1
    )
    SELECT count(*) FROM deleted;
END;
REVOKE ALL ON FUNCTION identity.delete_signing_keys FROM PUBLIC;
GRANT EXECUTE ON FUNCTION identity.delete_signing_keys TO user_svc;

-- What stays of the people of a study that was purged.
CREATE TABLE identity.purge (
    -- no reference: studies live in schema `clinical`, and this one is gone
    study_id  uuid PRIMARY KEY,
    purged_at timestamptz NOT NULL DEFAULT now(),
    -- the role of the database session
    purged_by text NOT NULL DEFAULT session_user,
    people    bigint NOT NULL,
    CONSTRAINT purge_purged_at_calendar CHECK (purged_at >= '0002-01-01T00:00Z' AND purged_at < '9999-01-01T00:00Z')
);

-- As in schema `clinical`.
CREATE OR REPLACE FUNCTION identity.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME <> 'purge'
       AND EXISTS (SELECT FROM identity.purge WHERE purged_at = transaction_timestamp()) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only_row BEFORE UPDATE OR DELETE ON identity.purge
FOR EACH ROW EXECUTE FUNCTION identity.refuse_change();
CREATE TRIGGER append_only_table BEFORE TRUNCATE ON identity.purge
FOR EACH STATEMENT EXECUTE FUNCTION identity.refuse_change();

-- Deletes the patients of a study that was purged, their logins and what happened to these, and who worked at its sites.
-- Nurses stay, with what they did elsewhere. Only the schema's owner may call it. Gives how many patients it was.
CREATE FUNCTION identity.purge_people(study_id uuid, sites uuid[], people uuid[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    patients uuid[] := ARRAY(SELECT person_id FROM identity.person WHERE role = 'patient' AND person_id = ANY (people));
BEGIN
    INSERT INTO identity.purge (study_id, people) VALUES (study_id, cardinality(patients));
    DELETE FROM identity.refresh_token USING identity.session
        WHERE refresh_token.session_id = session.session_id AND session.person_id = ANY (patients);
    DELETE FROM identity.session WHERE person_id = ANY (patients);
    DELETE FROM identity.activation WHERE person_id = ANY (patients);
    DELETE FROM identity.audit_event WHERE person_id = ANY (patients);
    DELETE FROM identity.credential WHERE person_id = ANY (patients);
    DELETE FROM identity.contact WHERE person_id = ANY (patients);
    DELETE FROM identity.site_membership WHERE site_id = ANY (sites) OR person_id = ANY (patients);
    DELETE FROM identity.person WHERE person_id = ANY (patients);
    RETURN cardinality(patients);
END $$;
REVOKE ALL ON FUNCTION identity.purge_people FROM PUBLIC;

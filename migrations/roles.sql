-- Roles of the cluster and schemas of this database. Run by an administrator; safe to run again.
-- The owners cannot log in: only the migration job acts as one, and no service does.
DO $$
DECLARE
    name text;
BEGIN
    -- Two jobs may prepare this database at the same time.
    PERFORM pg_advisory_xact_lock(hashtext('epro roles'));
    -- A role belongs to the whole cluster, but that lock to this database: a job for another one may be faster.
    FOREACH name IN ARRAY ARRAY['identity_owner', 'clinical_owner'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
    FOREACH name IN ARRAY ARRAY['user_svc', 'data_svc'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO user_svc, data_svc', current_database());
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
END $$;

CREATE SCHEMA IF NOT EXISTS identity AUTHORIZATION identity_owner;
CREATE SCHEMA IF NOT EXISTS clinical AUTHORIZATION clinical_owner;

-- For windows that must not overlap.
CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA clinical;

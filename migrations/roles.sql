-- Roles of the cluster and schemas of this database. Run by an administrator; safe to run again.
-- The owners cannot log in: only the migration job acts as one, and no service does.
DO $$
DECLARE
    name text;
BEGIN
    -- Two databases of one cluster may be prepared at the same time.
    PERFORM pg_advisory_xact_lock(hashtext('epro roles'));
    FOREACH name IN ARRAY ARRAY['identity_owner', 'clinical_owner'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
    FOREACH name IN ARRAY ARRAY['user_svc', 'data_svc'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', name);
        END IF;
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO user_svc, data_svc', current_database());
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
END $$;

CREATE SCHEMA IF NOT EXISTS identity AUTHORIZATION identity_owner;
CREATE SCHEMA IF NOT EXISTS clinical AUTHORIZATION clinical_owner;

-- For windows that must not overlap.
CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA clinical;

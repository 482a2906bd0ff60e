-- Bounds, as 0007_readable_values.sql has them, for the columns that have come since.

DO $$
DECLARE
    moment record;
BEGIN
    FOR moment IN
        SELECT relname, attname, relname || '_' || attname || '_calendar' AS constraint_name
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'clinical'::regnamespace AND relkind = 'r' AND relname <> '_sqlx_migrations'
          AND atttypid = 'timestamptz'::regtype AND attnum > 0 AND NOT attisdropped
          AND NOT EXISTS (SELECT FROM pg_constraint
                          WHERE conrelid = attrelid AND conname = relname || '_' || attname || '_calendar')
    LOOP
        EXECUTE format(
            'ALTER TABLE clinical.%1$I ADD CONSTRAINT %3$I
             CHECK (%2$I >= ''0002-01-01T00:00Z'' AND %2$I < ''9999-01-01T00:00Z'')',
            moment.relname, moment.attname, moment.constraint_name);
    END LOOP;
END $$;

ALTER TABLE clinical.study
    ADD CHECK (extract(epoch FROM escalate_after) >= 0),
    ADD CHECK (extract(epoch FROM gather_for) >= 0);

ALTER TABLE clinical.audit_event
    ADD CHECK (jsonb_typeof(changes) = 'object'
               AND NOT jsonb_path_exists(changes, 'strict $.**{64 to last}')
               AND NOT jsonb_path_exists(changes,
                       'strict $.** ? (@.type() == "number" && (@ > 1.7e308 || @ < -1.7e308))'));

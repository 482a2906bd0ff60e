-- Whatever the constraints let in can be read: times that a calendar has.

-- Within these bounds a moment's local time lies in the years 1 to 9999 at every offset, as RFC 3339 writes it. What
-- lies outside of them, infinity included, becomes the nearest bound.
DO $$
DECLARE
    moment record;
BEGIN
    FOR moment IN
        SELECT relname, attname
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'identity'::regnamespace AND relkind = 'r' AND relname <> '_sqlx_migrations'
          AND atttypid = 'timestamptz'::regtype AND attnum > 0 AND NOT attisdropped
    LOOP
        EXECUTE format(
            'UPDATE identity.%1$I
             SET %2$I = CASE WHEN %2$I < ''0002-01-01T00:00Z'' THEN timestamptz ''0002-01-01T00:00Z''
                             ELSE timestamptz ''9998-12-31T00:00Z'' END
             WHERE %2$I < ''0002-01-01T00:00Z'' OR %2$I >= ''9999-01-01T00:00Z''',
            moment.relname, moment.attname);
        EXECUTE format(
            'ALTER TABLE identity.%1$I ADD CONSTRAINT %3$I
             CHECK (%2$I >= ''0002-01-01T00:00Z'' AND %2$I < ''9999-01-01T00:00Z'')',
            moment.relname, moment.attname, moment.relname || '_' || moment.attname || '_calendar');
    END LOOP;
END $$;

-- Whatever the constraints let in can be read: times that a calendar has, spans that can be added to them, zones
-- that the services know, JSON of the shape that is read. And how long what is kept for retries is kept.

-- Never is no time that comes, and always has been since the first.
UPDATE clinical.study SET closed_at = NULL WHERE closed_at >= '9999-01-01T00:00Z';
DROP TRIGGER frozen_row ON clinical.questionnaire_version;
UPDATE clinical.questionnaire_version SET retired_at = NULL WHERE retired_at >= '9999-01-01T00:00Z';

ALTER TABLE clinical.study
    -- how long after the closing a report may still arrive that was captured before, of those without a window
    ADD COLUMN sync_for interval NOT NULL DEFAULT '72 hours'
    CHECK (extract(epoch FROM sync_for) BETWEEN 0 AND 316224000);

-- Within these bounds a moment's local time lies in the years 1 to 9999 at every offset, as RFC 3339 writes it. What
-- lies outside of them, infinity included, becomes the nearest bound; where rows may not change, this fails.
DO $$
DECLARE
    moment record;
BEGIN
    FOR moment IN
        SELECT relname, attname
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'clinical'::regnamespace AND relkind = 'r' AND relname <> '_sqlx_migrations'
          AND atttypid = 'timestamptz'::regtype AND attnum > 0 AND NOT attisdropped
    LOOP
        EXECUTE format(
            'UPDATE clinical.%1$I
             SET %2$I = CASE WHEN %2$I < ''0002-01-01T00:00Z'' THEN timestamptz ''0002-01-01T00:00Z''
                             ELSE timestamptz ''9998-12-31T00:00Z'' END
             WHERE %2$I < ''0002-01-01T00:00Z'' OR %2$I >= ''9999-01-01T00:00Z''',
            moment.relname, moment.attname);
        EXECUTE format(
            'ALTER TABLE clinical.%1$I ADD CONSTRAINT %3$I
             CHECK (%2$I >= ''0002-01-01T00:00Z'' AND %2$I < ''9999-01-01T00:00Z'')',
            moment.relname, moment.attname, moment.relname || '_' || moment.attname || '_calendar');
    END LOOP;
END $$;

-- An instrument is frozen; only its retirement can be noted, and changed until it has come.
CREATE TRIGGER frozen_row BEFORE UPDATE ON clinical.questionnaire_version FOR EACH ROW
WHEN (OLD.retired_at <= now()
      OR (OLD.questionnaire_version_id, OLD.questionnaire_id, OLD.url, OLD.version, OLD.definition, OLD.sha256)
         IS DISTINCT FROM
         (NEW.questionnaire_version_id, NEW.questionnaire_id, NEW.url, NEW.version, NEW.definition, NEW.sha256))
EXECUTE FUNCTION clinical.refuse_change();

ALTER TABLE clinical.assignment
    -- Ten years. In seconds, because an interval may be positive in months and negative in days.
    ADD CHECK (extract(epoch FROM sync_for) BETWEEN 0 AND 316224000),
    -- A hundred years: no plan reaches beyond the calendar.
    ADD CHECK (first_day::bigint + (windows - 1)::bigint * every_days <= 36600);

ALTER TABLE clinical.site
    -- 24:00 is the next day's beginning, and a day that is quiet as a whole would never end.
    ADD CHECK (quiet_from < '24:00'),
    ADD CHECK (NOT (quiet_from = '00:00' AND quiet_until = '24:00'));

ALTER TABLE clinical.report
    -- as RFC 3339 writes it, in whole minutes
    ADD CHECK (captured_offset_seconds BETWEEN -86340 AND 86340 AND captured_offset_seconds % 60 = 0),
    ADD CHECK (array_position(held_because, NULL) IS NULL AND coalesce(array_ndims(held_because), 1) = 1),
    ADD CHECK (jsonb_typeof(answers) = 'object' AND NOT jsonb_path_exists(answers,
        'strict $.* ? (@.type() == "object" || @.type() == "array"
                       || (@.type() == "number" && (@ > 1.7e308 || @ < -1.7e308)))'));

-- The zones that the services know, by their IANA names. The migration job adds those of the database that travels
-- in the programs.
CREATE TABLE clinical.time_zone (
    name text PRIMARY KEY
);
-- Not valid: what was stored before stays until somebody changes it.
ALTER TABLE clinical.site ADD FOREIGN KEY (time_zone) REFERENCES clinical.time_zone NOT VALID;
ALTER TABLE clinical.enrolment ADD FOREIGN KEY (time_zone) REFERENCES clinical.time_zone NOT VALID;

-- A questionnaire's definition as its readers read it. What is not mentioned may be anything.
CREATE FUNCTION clinical.is_integer(value jsonb, low numeric, high numeric) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(value) = 'number'
            THEN value::text ~ '^-?[0-9]+$' AND value::numeric BETWEEN low AND high
            ELSE false END;

CREATE FUNCTION clinical.is_condition(condition jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(
    jsonb_typeof(condition -> 'link_id') = 'string'
    AND condition -> 'operator' IN ('"="', '">"', '">="')
    AND jsonb_typeof(condition -> 'answer') IN ('boolean', 'number', 'string'),
    false);

CREATE FUNCTION clinical.is_item(item jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(
    jsonb_typeof(item -> 'link_id') = 'string'
    AND item -> 'type' IN ('"integer"', '"decimal"', '"boolean"', '"text"', '"choice"')
    AND coalesce(jsonb_typeof(item -> 'min'), 'null') IN ('number', 'null')
    AND coalesce(jsonb_typeof(item -> 'max'), 'null') IN ('number', 'null')
    AND (coalesce(jsonb_typeof(item -> 'max_length'), 'null') = 'null'
         OR clinical.is_integer(item -> 'max_length', 0, 2147483647))
    AND coalesce(jsonb_typeof(item -> 'required'), 'boolean') = 'boolean'
    AND coalesce(jsonb_typeof(item -> 'options'), 'array') = 'array'
    AND NOT EXISTS (
        SELECT FROM jsonb_path_query(item, '$.options[*]') AS option
        WHERE NOT clinical.is_integer(option -> 'value', -9223372036854775808, 9223372036854775807))
    AND coalesce(jsonb_typeof(item -> 'enable_when'), 'array') = 'array'
    AND NOT EXISTS (
        SELECT FROM jsonb_path_query(item, '$.enable_when[*]') AS condition WHERE NOT clinical.is_condition(condition))
    AND coalesce(item -> 'enable_behavior', '"all"') IN ('"all"', '"any"'),
    false);

CREATE FUNCTION clinical.is_scoring(scoring jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(
    scoring -> 'method' = '"sum"'
    AND jsonb_typeof(scoring -> 'items') = 'array'
    AND NOT jsonb_path_exists(scoring, 'strict $.items[*] ? (@.type() != "string")')
    AND jsonb_typeof(scoring -> 'bands') = 'array'
    AND NOT EXISTS (
        SELECT FROM jsonb_path_query(scoring, '$.bands[*]') AS band
        WHERE NOT coalesce(jsonb_typeof(band -> 'id') = 'string', false)
           OR NOT clinical.is_integer(band -> 'min', -2147483648, 2147483647)
           OR NOT clinical.is_integer(band -> 'max', -2147483648, 2147483647)),
    false);

CREATE FUNCTION clinical.is_alert_rule(rule jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(
    jsonb_typeof(rule -> 'id') = 'string'
    AND clinical.is_condition(rule)
    AND coalesce(jsonb_typeof(rule -> 'urgent'), 'boolean') = 'boolean',
    false);

CREATE FUNCTION clinical.is_definition(definition jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(
    jsonb_typeof(definition -> 'title') = 'string'
    AND jsonb_typeof(definition -> 'items') = 'array'
    AND NOT EXISTS (
        SELECT FROM jsonb_path_query(definition, '$.items[*]') AS item WHERE NOT clinical.is_item(item))
    AND (coalesce(jsonb_typeof(definition -> 'scoring'), 'null') = 'null'
         OR clinical.is_scoring(definition -> 'scoring'))
    AND coalesce(jsonb_typeof(definition -> 'alerts'), 'array') = 'array'
    AND NOT EXISTS (
        SELECT FROM jsonb_path_query(definition, '$.alerts[*]') AS rule WHERE NOT clinical.is_alert_rule(rule))
    -- It fits into a message, and parsers neither give up at its depth nor at a number.
    AND octet_length(definition::text) <= 1048576
    AND NOT jsonb_path_exists(definition, 'strict $.**{64 to last}')
    AND NOT jsonb_path_exists(definition,
        'strict $.** ? (@.type() == "number" && (@ > 1.7e308 || @ < -1.7e308))'),
    false);

ALTER TABLE clinical.questionnaire_version ADD CHECK (clinical.is_definition(definition));

CREATE INDEX idempotency_created ON clinical.idempotency (created_at);

-- Deletes keys that were taken before `taken_before`, an hour ago at the latest, and whose report can arrive no more,
-- oldest first. The service has no right to delete others: whose key is lost is stored twice. It takes a limited number,
-- passes over what somebody else holds, and says how many it was.
CREATE FUNCTION clinical.delete_idempotency_keys(taken_before timestamptz, most bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    WITH old AS (
        SELECT idempotency.enrolment_id, idempotency.key
        FROM clinical.idempotency
        JOIN clinical.report USING (report_id)
        LEFT JOIN clinical.fill_window USING (window_id)
        WHERE idempotency.created_at < least(taken_before, now() - interval '1 hour')
          AND (sync_until IS NULL OR sync_until <= now())
        ORDER BY idempotency.created_at
        LIMIT most
        FOR UPDATE OF idempotency SKIP LOCKED
    ), deleted AS (
        DELETE FROM clinical.idempotency USING old
        WHERE idempotency.enrolment_id = old.enrolment_id AND idempotency.key = old.key
        RETURNING 1
    )
    SELECT count(*) FROM deleted;
END;
REVOKE ALL ON FUNCTION clinical.delete_idempotency_keys FROM PUBLIC;
GRANT EXECUTE ON FUNCTION clinical.delete_idempotency_keys TO data_svc;

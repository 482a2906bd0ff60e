-- An urgent alert stays until somebody has reviewed the revision that set it off, and amendments and reviews are
-- done once however often they are sent.

-- A report's revisions, from a given one back to the first. It is put into the statement that calls it, which a
-- function that is STRICT would not be.
CREATE FUNCTION clinical.revisions_up_to(newest uuid) RETURNS TABLE (report_id uuid, revision integer)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 2
BEGIN ATOMIC
    WITH RECURSIVE series AS (
        SELECT report.report_id, report.revision, report.supersedes
        FROM clinical.report
        WHERE report.report_id = newest
        UNION ALL
        SELECT older.report_id, older.revision, older.supersedes
        FROM series
        JOIN clinical.report AS older ON older.report_id = series.supersedes
    )
    SELECT series.report_id, series.revision FROM series;
END;

-- Those of them that have set off an urgent alert and that nobody has reviewed.
CREATE FUNCTION clinical.urgent_revisions(newest uuid) RETURNS TABLE (report_id uuid, revision integer)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT series.report_id, series.revision
    FROM clinical.revisions_up_to(newest) AS series
    WHERE EXISTS (SELECT FROM clinical.alert WHERE alert.report_id = series.report_id AND alert.urgent)
      AND NOT EXISTS (SELECT FROM clinical.review WHERE review.report_id = series.report_id);
END;

-- How often a report has changed up to a revision: its revisions and reviews. No two of its states have the same.
CREATE FUNCTION clinical.state_number(newest uuid) RETURNS integer
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT (count(*) + count(review.review_id))::integer
    FROM clinical.revisions_up_to(newest) AS series
    LEFT JOIN clinical.review ON review.report_id = series.report_id
);

ALTER TABLE clinical.idempotency
    -- the review that was stored under the key; `report_id` is the report that it is about then
    ADD COLUMN review_id uuid REFERENCES clinical.review DEFERRABLE INITIALLY DEFERRED;

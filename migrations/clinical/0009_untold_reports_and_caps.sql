-- Reports that nobody was told of, who is told then, and how much one patient may cause.

ALTER TABLE clinical.study
    -- how long a report that nobody was told of waits before the nurses of the whole study are told; an urgent one
    -- does not wait
    ADD COLUMN escalate_after   interval NOT NULL DEFAULT '4 hours'
        CHECK (escalate_after BETWEEN interval '0' AND interval '30 days'),
    -- reports of one enrolment within an hour after which no more are taken; urgent ones are counted by themselves
    ADD COLUMN reports_per_hour integer NOT NULL DEFAULT 60 CHECK (reports_per_hour >= 1),
    -- reports of one enrolment within `gather_for` that are told one by one; those beyond are told together
    ADD COLUMN told_singly      integer NOT NULL DEFAULT 3 CHECK (told_singly >= 1),
    ADD COLUMN gather_for       interval NOT NULL DEFAULT '1 hour'
        CHECK (gather_for BETWEEN interval '0' AND interval '6 hours');

ALTER TABLE clinical.notification
    -- told in one message with others of its kind for the same nurse
    ADD COLUMN gathered boolean NOT NULL DEFAULT false,
    -- Set on news for a nurse of another site of the study, because nobody was told at the report's own. The site is
    -- hers then.
    ADD COLUMN study_id uuid REFERENCES clinical.study;
CREATE INDEX notification_gathered ON clinical.notification (site_id, recipient_id, channel, due_at)
    WHERE state = 'pending' AND gathered;
-- Those that have ended without being delivered.
CREATE INDEX notification_ended ON clinical.notification (report_id)
    WHERE state IN ('dead', 'uncertain', 'cancelled');

-- Whether a nurse has reviewed a report, or a later revision of it: she knows of it.
CREATE FUNCTION clinical.is_reviewed(subject uuid) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH RECURSIVE revision AS (
        SELECT subject AS report_id
        UNION ALL
        SELECT later.report_id
        FROM revision JOIN clinical.report AS later ON later.supersedes = revision.report_id
    )
    SELECT EXISTS (SELECT FROM revision JOIN clinical.review USING (report_id));
END;

-- Reports that nobody was told of and nobody is being told of.
CREATE VIEW clinical.untold AS
SELECT report_id, enrolment_id, received_at
FROM clinical.report
WHERE NOT EXISTS (
        SELECT FROM clinical.notification
        WHERE notification.report_id = report.report_id AND state IN ('pending', 'delivered')
    ) AND NOT clinical.is_reviewed(report_id);

-- Those of them that were found, each once.
CREATE TABLE clinical.untold_report (
    report_id   uuid PRIMARY KEY REFERENCES clinical.report,
    study_id    uuid NOT NULL REFERENCES clinical.study,
    site_id     uuid NOT NULL REFERENCES clinical.site,
    urgent      boolean NOT NULL,
    found_at    timestamptz NOT NULL DEFAULT now(),
    -- when the nurses of the whole study are told next; none any more once somebody is being told
    escalate_at timestamptz
);
CREATE INDEX untold_report_due ON clinical.untold_report (urgent DESC, escalate_at) WHERE escalate_at IS NOT NULL;
CREATE INDEX untold_report_study ON clinical.untold_report (study_id, found_at DESC, report_id DESC);

-- What nobody was told of before anybody looked is listed, and not escalated all at once.
INSERT INTO clinical.untold_report (report_id, study_id, site_id, urgent)
SELECT report_id, study_id, site_id,
       EXISTS (SELECT FROM clinical.alert WHERE alert.report_id = untold.report_id AND alert.urgent)
FROM clinical.untold JOIN clinical.enrolment USING (enrolment_id);

GRANT SELECT ON clinical.untold TO data_svc;
GRANT SELECT, INSERT ON clinical.untold_report TO data_svc;
GRANT UPDATE (escalate_at, found_at) ON clinical.untold_report TO data_svc;

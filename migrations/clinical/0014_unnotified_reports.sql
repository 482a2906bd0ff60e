-- A report that no nurse was notified of is called unnotified, as in the API.

ALTER VIEW clinical.untold RENAME TO unnotified;
ALTER TABLE clinical.untold_report RENAME TO unnotified_report;
ALTER INDEX clinical.untold_report_pkey RENAME TO unnotified_report_pkey;
ALTER INDEX clinical.untold_report_due RENAME TO unnotified_report_due;
ALTER INDEX clinical.untold_report_study RENAME TO unnotified_report_study;
ALTER INDEX clinical.notification_untold RENAME TO notification_undelivered;

-- The former names, for copies of data-svc of the previous release. A later migration drops them.
CREATE VIEW clinical.untold AS SELECT * FROM clinical.unnotified;
CREATE VIEW clinical.untold_report AS SELECT * FROM clinical.unnotified_report;
GRANT SELECT ON clinical.untold TO data_svc;
GRANT SELECT, INSERT, UPDATE (escalate_at, found_at) ON clinical.untold_report TO data_svc;

-- As before, with the new name.
CREATE OR REPLACE FUNCTION clinical.purge_study(
    of_code text, why text, OUT study_id uuid, OUT sites uuid[], OUT people uuid[], OUT enrolments bigint, OUT reports bigint
)
LANGUAGE plpgsql AS $$
DECLARE
    subject  clinical.study;
    obstacle text;
    members  uuid[];
BEGIN
    -- Nobody enrols, or begins to tell of a report, meanwhile.
    SELECT * INTO subject FROM clinical.study WHERE study.code = of_code FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no study %', of_code USING ERRCODE = 'no_data_found';
    END IF;
    obstacle := clinical.purge_obstacle(subject);
    IF obstacle IS NOT NULL THEN
        RAISE EXCEPTION 'study % must not be purged: %', of_code, obstacle USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;

    study_id := subject.study_id;
    sites := ARRAY(SELECT site_id FROM clinical.site WHERE site.study_id = subject.study_id);
    members := ARRAY(SELECT enrolment_id FROM clinical.enrolment WHERE enrolment.study_id = subject.study_id);
    people := ARRAY(
        SELECT person_id FROM clinical.enrolment WHERE enrolment.study_id = subject.study_id
        EXCEPT
        SELECT person_id FROM clinical.enrolment WHERE enrolment.study_id <> subject.study_id);
    enrolments := cardinality(members);
    reports := (SELECT count(*) FROM clinical.report WHERE enrolment_id = ANY (members));
    INSERT INTO clinical.purge (study_id, code, closed_at, retain_until, reason, enrolments, reports, audit_events,
                                last_seal_seq, last_seal)
    SELECT subject.study_id, subject.code, subject.closed_at, subject.retain_until, why, purge_study.enrolments,
           purge_study.reports, (SELECT count(*) FROM clinical.audit_event WHERE enrolment_id = ANY (members)), seal.seq, seal.hash
    FROM (VALUES (1)) AS one
    LEFT JOIN (
        SELECT seq, hash FROM clinical.audit_seal WHERE audit_seal.study_id = subject.study_id ORDER BY seq DESC LIMIT 1
    ) AS seal ON true;

    DELETE FROM clinical.delivery_attempt USING clinical.notification JOIN clinical.report USING (report_id)
        WHERE delivery_attempt.notification_id = notification.notification_id AND enrolment_id = ANY (members);
    DELETE FROM clinical.notification USING clinical.report
        WHERE notification.report_id = report.report_id AND enrolment_id = ANY (members);
    DELETE FROM clinical.unnotified_report WHERE unnotified_report.study_id = subject.study_id;
    DELETE FROM clinical.idempotency WHERE enrolment_id = ANY (members);
    DELETE FROM clinical.review USING clinical.report
        WHERE review.report_id = report.report_id AND enrolment_id = ANY (members);
    DELETE FROM clinical.alert USING clinical.report
        WHERE alert.report_id = report.report_id AND enrolment_id = ANY (members);
    DELETE FROM clinical.audit_seal_head WHERE audit_seal_head.study_id = subject.study_id;
    DELETE FROM clinical.audit_seal WHERE audit_seal.study_id = subject.study_id;
    DELETE FROM clinical.audit_event WHERE enrolment_id = ANY (members);
    DELETE FROM clinical.audit_chain WHERE enrolment_id = ANY (members);
    DELETE FROM clinical.report WHERE enrolment_id = ANY (members);
    DELETE FROM clinical.fill_window USING clinical.assignment
        WHERE fill_window.assignment_id = assignment.assignment_id AND assignment.enrolment_id = ANY (members);
    DELETE FROM clinical.assignment WHERE enrolment_id = ANY (members);
    DELETE FROM clinical.enrolment WHERE enrolment_id = ANY (members);
    DELETE FROM clinical.site WHERE site.study_id = subject.study_id;
    DELETE FROM clinical.study WHERE study.study_id = subject.study_id;
END $$;

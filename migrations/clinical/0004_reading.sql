-- Ways to what a patient and a nurse read, and limits to what windows are made of.

CREATE INDEX enrolment_person ON clinical.enrolment (person_id);
CREATE INDEX assignment_enrolment ON clinical.assignment (enrolment_id);

ALTER TABLE clinical.enrolment
    ADD CHECK (baseline_date BETWEEN '1900-01-01' AND '2199-12-31');
ALTER TABLE clinical.assignment
    ADD CHECK (isfinite(sync_for));

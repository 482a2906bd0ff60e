-- Urgent news, a site's quiet hours, and what each attempt came to in finer classes.

ALTER TABLE clinical.site
    -- Between these times of the site's own clock only urgent news is told; `quiet_until` may lie on the
    -- day after. Both, or neither for a site that can be told at any hour.
    ADD COLUMN quiet_from  time,
    ADD COLUMN quiet_until time,
    ADD CHECK ((quiet_from IS NULL) = (quiet_until IS NULL)),
    ADD CHECK (quiet_from <> quiet_until);

ALTER TABLE clinical.notification
    -- an alert of the report asks for somebody at once
    ADD COLUMN urgent boolean NOT NULL DEFAULT false;
-- What is due, urgent news first.
DROP INDEX clinical.notification_due;
CREATE INDEX notification_due ON clinical.notification (urgent DESC, due_at, report_id) WHERE state = 'pending';
-- What was never told, for the site's nurses to see.
CREATE INDEX notification_untold ON clinical.notification (site_id, created_at DESC, notification_id DESC)
    WHERE state IN ('dead', 'cancelled');

ALTER TABLE clinical.delivery_attempt
    DROP CONSTRAINT delivery_attempt_outcome_check,
    ADD CHECK (outcome IN (
        'delivered',
        -- worth another try
        'timeout', 'throttled', 'provider_error', 'connection', 'panic',
        -- no other try would do better
        'rejected', 'no_recipient',
        -- from before there were classes
        'temporary_failure', 'permanent_failure'
    ));

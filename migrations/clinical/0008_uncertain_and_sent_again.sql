-- What may have been delivered although nobody has said so, and what a nurse has sent again.

ALTER TABLE clinical.notification
    -- an attempt may have been delivered: the provider had the message and did not say what has become of it
    ADD COLUMN uncertain boolean NOT NULL DEFAULT false,
    -- the last time a nurse had it sent again, and who; its age counts from then
    ADD COLUMN resent_at timestamptz,
    ADD COLUMN resent_by uuid,
    ADD CHECK ((resent_at IS NULL) = (resent_by IS NULL)),
    DROP CONSTRAINT notification_state_check,
    -- pending -> delivered | dead | uncertain (given up, and may have been delivered) | cancelled (nobody to tell any
    -- more); what is given up may become pending again
    ADD CONSTRAINT notification_state_check
        CHECK (state IN ('pending', 'delivered', 'dead', 'uncertain', 'cancelled')),
    ADD CHECK (state <> 'uncertain' OR uncertain);
-- For the site's nurses to see.
CREATE INDEX notification_uncertain ON clinical.notification (site_id, created_at DESC, notification_id DESC)
    WHERE uncertain AND state IN ('pending', 'uncertain');

ALTER TABLE clinical.delivery_attempt
    DROP CONSTRAINT delivery_attempt_outcome_check,
    ADD CONSTRAINT delivery_attempt_outcome_check CHECK (outcome IN (
        'delivered',
        -- worth another try
        'timeout', 'throttled', 'provider_error', 'connection', 'deferred', 'panic',
        -- worth another try now and then: it may have been delivered
        'uncertain',
        -- no other try would do better
        'rejected', 'no_recipient',
        -- from before there were classes
        'temporary_failure', 'permanent_failure'
    ));

GRANT UPDATE (uncertain, resent_at, resent_by) ON clinical.notification TO data_svc;

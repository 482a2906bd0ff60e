-- A column of time that came after those that have got their bounds.

ALTER TABLE clinical.notification
    ADD CONSTRAINT notification_resent_at_calendar
    CHECK (resent_at >= '0002-01-01T00:00Z' AND resent_at < '9999-01-01T00:00Z');

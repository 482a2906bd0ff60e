-- The rest of the stored context: a notification's deliveries belong to the trace in which it was created.

ALTER TABLE clinical.notification
    -- W3C tracestate beside the traceparent, of the span that created it; mostly empty
    ADD COLUMN tracestate text NOT NULL DEFAULT '';

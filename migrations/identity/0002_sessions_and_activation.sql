-- Activation, lockout, and sessions that outlive an access token.

-- A person has a login before a PIN: the PIN comes with the activation.
ALTER TABLE identity.credential
    ALTER COLUMN pin_hash DROP NOT NULL,
    -- wrong PINs since the last right one or the last lock
    ADD COLUMN failures     integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    -- until then no PIN opens a session
    ADD COLUMN locked_until timestamptz;

-- Codes that let a person choose a PIN, once. Only their hashes are kept, made of the code in capitals and
-- without blanks and dashes.
CREATE TABLE identity.activation (
    code_hash  bytea PRIMARY KEY CHECK (octet_length(code_hash) = 32),
    person_id  uuid NOT NULL REFERENCES identity.person,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX activation_person ON identity.activation (person_id);

-- The tokens of a session, each good for one exchange. Only their hashes are kept; a used one stays, so
-- that its second use is noticed.
CREATE TABLE identity.refresh_token (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    session_id uuid NOT NULL REFERENCES identity.session,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at    timestamptz
);
CREATE INDEX refresh_token_session ON identity.refresh_token (session_id);
CREATE INDEX session_person ON identity.session (person_id);

GRANT UPDATE (pin_hash, failures, locked_until) ON identity.credential TO user_svc;
GRANT UPDATE (revoked_at) ON identity.session TO user_svc;
GRANT SELECT, INSERT ON identity.activation, identity.refresh_token TO user_svc;
GRANT UPDATE (used_at) ON identity.activation, identity.refresh_token TO user_svc;

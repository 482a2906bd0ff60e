-- Who may log in, and what they may see. Read and written by user-svc alone.

CREATE TABLE identity.person (
    person_id  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    role       text NOT NULL CHECK (role IN ('patient', 'nurse')),
    active     boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE identity.credential (
    person_id uuid PRIMARY KEY REFERENCES identity.person,
    login     text NOT NULL UNIQUE,
    -- argon2id, in PHC string format
    pin_hash  text NOT NULL
);

CREATE TABLE identity.session (
    session_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    person_id  uuid NOT NULL REFERENCES identity.person,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);

-- Where a patient is treated, where a nurse works. Sites live in schema `clinical`; only ids are here.
CREATE TABLE identity.site_membership (
    site_id   uuid NOT NULL,
    person_id uuid NOT NULL REFERENCES identity.person,
    PRIMARY KEY (site_id, person_id)
);
CREATE INDEX site_membership_person ON identity.site_membership (person_id);

CREATE TABLE identity.contact (
    person_id uuid PRIMARY KEY REFERENCES identity.person,
    phone     text,
    email     text
);

-- The Ed25519 keys that sign access tokens. The newest signs, all verify.
CREATE TABLE identity.signing_key (
    key_id      uuid PRIMARY KEY,
    private_key bytea NOT NULL,
    public_key  bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

GRANT USAGE ON SCHEMA identity TO user_svc;
GRANT SELECT ON identity.person, identity.site_membership, identity.contact, identity.credential TO user_svc;
GRANT SELECT, INSERT ON identity.session, identity.signing_key TO user_svc;

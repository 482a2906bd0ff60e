-- A refresh token that is sent again at once gets the successor that it got the first time.

ALTER TABLE identity.refresh_token
    -- what its successor is derived from, together with the token itself, which is not stored: this column
    -- alone is worth nothing. Set with used_at, and erased once no answer can be given again.
    ADD COLUMN successor_seed bytea CHECK (octet_length(successor_seed) = 32),
    ADD CHECK (successor_seed IS NULL OR used_at IS NOT NULL);

GRANT UPDATE (successor_seed) ON identity.refresh_token TO user_svc;

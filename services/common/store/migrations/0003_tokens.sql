-- Who may call the managers. Of a token only its SHA-256 is kept; rows stay after the end of their token, as the record of who had
-- access.
CREATE TABLE token (
    id         bigint PRIMARY KEY,
    digest     bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    name       text NOT NULL CHECK (name ~ '^[A-Za-z0-9._-]{1,64}$'),
    role       text NOT NULL CHECK (role IN ('viewer', 'submitter', 'worker', 'admin')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text,        -- the name of the token that asked for it; null: nobody needed one
    expires_at timestamptz, -- null: never
    revoked_at timestamptz,
    revoked_by text
);

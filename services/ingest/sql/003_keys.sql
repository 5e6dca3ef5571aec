-- The keys to workspaces. Of what a bearer shows, the token, only the SHA-256 is kept.
CREATE TABLE {schema}.keys (
    key_id            text   PRIMARY KEY,
    workspace         text   NOT NULL,
    name              text   NOT NULL,
    scopes            text[] NOT NULL,
    hash              bytea  NOT NULL UNIQUE CHECK (length(hash) = 32),
    events_per_second int    NOT NULL DEFAULT 0 CHECK (events_per_second >= 0),
    created_at        bigint NOT NULL,
    revoked_at        bigint
);

CREATE INDEX keys_by_workspace ON {schema}.keys (workspace, created_at DESC, key_id DESC);

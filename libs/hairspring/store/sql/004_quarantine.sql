-- What is set aside because judging it failed: events, and whole profiles (`holds`), of which
-- nothing is judged until a retry folds their history anew. Written by the owner of the shard, in
-- the transaction that moves the position past it; others only set `wanted`.
CREATE TABLE {schema}.quarantine (
    shard         int     NOT NULL,
    workspace     text    NOT NULL,
    profile       text    NOT NULL,
    position      bigint  NOT NULL,  -- of the event; else of the log when it failed
    what          text    NOT NULL,  -- event, alarm, state, rebuild, fill, activation
    holds         boolean NOT NULL,
    message_id    text    NOT NULL,
    event_name    text    NOT NULL,
    plan_version  bigint  NOT NULL,
    error_type    text    NOT NULL,
    error_message text    NOT NULL,
    traceback     text    NOT NULL,
    tries         int     NOT NULL,
    failed_at     bigint  NOT NULL,
    retries       int     NOT NULL DEFAULT 0,  -- how often the profile was folded anew, in vain
    retried_at    bigint,
    retry_error   text    NOT NULL DEFAULT '',
    retry_at      bigint,                      -- when that is tried again by itself
    wanted        boolean NOT NULL DEFAULT false,
    with_flows    boolean NOT NULL DEFAULT false,
    PRIMARY KEY (shard, workspace, profile, position, what)
);

CREATE INDEX quarantine_listed ON {schema}.quarantine (workspace, profile);

-- A run is one passage of a profile through a flow. Times are milliseconds since the epoch, UTC.
-- `due_at`: when its step is due. `wake_at`: when it is looked at next; later than `due_at` while a
-- send is retried. Both are null once it is over. Postgres is the truth of `wake_at`, the delay
-- queue its index.
CREATE TABLE {schema}.runs (
    shard          int      NOT NULL,
    workspace      text     NOT NULL,
    profile        text     NOT NULL,
    run_id         text     NOT NULL,
    flow           text     NOT NULL,
    segment        text     NOT NULL,
    plan_version   bigint   NOT NULL,
    entry_position bigint   NOT NULL,
    entered_at     bigint   NOT NULL,
    started_at     bigint   NOT NULL,
    status         smallint NOT NULL,
    step           int      NOT NULL,
    reason         text     NOT NULL,
    ended_at       bigint,
    due_at         bigint,
    wake_at        bigint,
    trace_id       text     NOT NULL,
    record         bytea    NOT NULL,
    PRIMARY KEY (shard, workspace, profile, run_id)
) WITH (fillfactor = 80);

-- One run for each entry, and one active run for each flow and profile.
CREATE UNIQUE INDEX runs_entry
    ON {schema}.runs (shard, workspace, profile, flow, entry_position);
CREATE UNIQUE INDEX runs_active
    ON {schema}.runs (shard, workspace, profile, flow) WHERE status = 1;
-- The cooldown asks for the latest start.
CREATE INDEX runs_started
    ON {schema}.runs (shard, workspace, profile, flow, started_at) WHERE status <> 3;
CREATE INDEX runs_wake
    ON {schema}.runs (shard, wake_at, run_id) WHERE wake_at IS NOT NULL;
CREATE INDEX runs_latest
    ON {schema}.runs (workspace, started_at DESC, run_id DESC);

-- A message is what one step of a run sends: one row for each, whatever happens.
CREATE TABLE {schema}.messages (
    shard      int      NOT NULL,
    workspace  text     NOT NULL,
    profile    text     NOT NULL,
    run_id     text     NOT NULL,
    step       int      NOT NULL,
    message_id text     NOT NULL,
    flow       text     NOT NULL,
    template   text     NOT NULL,
    channel    text     NOT NULL,
    recipient  text     NOT NULL,
    subject    text     NOT NULL,
    status     smallint NOT NULL,
    reason     text     NOT NULL,
    due_at     bigint   NOT NULL,
    sent_at    bigint,
    attempts   int      NOT NULL,
    PRIMARY KEY (shard, workspace, profile, run_id, step)
) WITH (fillfactor = 80);

-- What a take-over has to look at.
CREATE INDEX messages_sending
    ON {schema}.messages (shard) WHERE status = 2;
CREATE INDEX messages_latest
    ON {schema}.messages (workspace, due_at DESC, message_id DESC);
CREATE INDEX messages_status
    ON {schema}.messages (workspace, status);

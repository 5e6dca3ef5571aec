-- What could not be accepted, for a week. All times are milliseconds since the epoch, UTC.
CREATE TABLE {schema}.rejects (
    workspace   text    NOT NULL,
    reject_id   bigint  GENERATED ALWAYS AS IDENTITY,
    received_at bigint  NOT NULL,
    source      text    NOT NULL,
    code        text    NOT NULL,
    problem     text    NOT NULL,
    message_id  text    NOT NULL,
    profile     text    NOT NULL,
    kind        text    NOT NULL,
    cut         boolean NOT NULL,
    envelope    bytea   NOT NULL,
    payload     bytea   NOT NULL,
    replays     int     NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, reject_id)
);

CREATE INDEX rejects_by_age ON {schema}.rejects (received_at);
CREATE INDEX rejects_by_profile ON {schema}.rejects (workspace, profile);

-- How many were kept of each workspace on each day, so that a flood is bounded. Days since the epoch.
CREATE TABLE {schema}.reject_days (
    workspace text   NOT NULL,
    day       int    NOT NULL,
    rejects   bigint NOT NULL,
    bytes     bigint NOT NULL,
    PRIMARY KEY (workspace, day)
);

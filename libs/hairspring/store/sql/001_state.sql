-- What the rule evaluator keeps. Every table of profile data has the shard first in its key.
-- All times are milliseconds since the epoch, UTC.

-- The state of each profile, as bytes, and when it is to be looked at next. The fill factor keeps
-- updates within their page as long as the due time does not move.
CREATE TABLE {schema}.profiles (
    shard     int    NOT NULL,
    workspace text   NOT NULL,
    profile   text   NOT NULL,
    state     bytea  NOT NULL,
    due_at    bigint,
    PRIMARY KEY (shard, workspace, profile)
) WITH (fillfactor = 70);

CREATE INDEX profiles_due ON {schema}.profiles (shard, due_at) WHERE due_at IS NOT NULL;

-- Who is in which segment, and since when.
CREATE TABLE {schema}.memberships (
    shard      int    NOT NULL,
    workspace  text   NOT NULL,
    segment    text   NOT NULL,
    profile    text   NOT NULL,
    entered_at bigint NOT NULL,
    PRIMARY KEY (shard, workspace, segment, profile)
);

CREATE INDEX memberships_listed ON {schema}.memberships (workspace, segment, profile);

-- Profiles whose history is to be folded anew: touched by an import (or by a definition), and,
-- once `position` is set, up to that place in the event log.
CREATE TABLE {schema}.rebuilds (
    shard      int     NOT NULL,
    workspace  text    NOT NULL,
    profile    text    NOT NULL,
    cause      text    NOT NULL,
    fresh      boolean NOT NULL,
    position   bigint,
    through    bigint,
    with_flows boolean NOT NULL DEFAULT false,
    PRIMARY KEY (shard, workspace, profile, cause)
);

CREATE INDEX rebuilds_ready ON {schema}.rebuilds (shard, position) WHERE position IS NOT NULL;
CREATE INDEX rebuilds_by_cause ON {schema}.rebuilds (shard, cause);

-- Plan versions: each is one change of definitions that was applied as a whole.
CREATE TABLE {schema}.plans (
    version    bigint PRIMARY KEY,
    workspace  text   NOT NULL,
    applied_at bigint NOT NULL
);

-- Every definition in every form it ever had. The one in force at a plan version is the latest up
-- to that version, unless that one says `removed`.
CREATE TABLE {schema}.definitions (
    workspace text    NOT NULL,
    kind      text    NOT NULL,
    name      text    NOT NULL,
    version   bigint  NOT NULL REFERENCES {schema}.plans,
    removed   boolean NOT NULL DEFAULT false,
    body      bytea   NOT NULL,
    source    text    NOT NULL,
    PRIMARY KEY (workspace, kind, name, version)
);

-- The state of the forms of segments that are being filled, of each profile whose history has been
-- folded for them. Those whose history waits are in `rebuilds`, with the cause 'fill'. A shard holds
-- what belongs to the plan version that it is judged by, and nothing else.
CREATE TABLE {schema}.fills (
    shard     int   NOT NULL,
    workspace text  NOT NULL,
    profile   text  NOT NULL,
    state     bytea NOT NULL,
    PRIMARY KEY (shard, workspace, profile)
) WITH (fillfactor = 70);

-- A plan version that `activates` puts what was filled until then in force, and changes no
-- definition; all definitions that were applied before this was known are in force already.
-- `with_flows` says that the transitions that a definition brings may set off flows.
ALTER TABLE {schema}.plans
    ADD COLUMN activates  boolean NOT NULL DEFAULT false,
    ADD COLUMN with_flows boolean NOT NULL DEFAULT false;

UPDATE {schema}.plans SET activates = true;

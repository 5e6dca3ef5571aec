-- Requests that were named by their callers, and the plan version that each brought; so that one
-- that is repeated is answered, and not carried out again.
CREATE TABLE {schema}.requests (
    workspace  text   NOT NULL,
    request_id text   NOT NULL,
    version    bigint NOT NULL REFERENCES {schema}.plans,
    PRIMARY KEY (workspace, request_id)
);

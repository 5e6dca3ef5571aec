-- Profiles that were deleted: what went with each, by kind. Times are milliseconds since the epoch, UTC.
CREATE TABLE {schema}.deletions (
    workspace   text   NOT NULL,
    deletion_id text   NOT NULL,
    erased      jsonb  NOT NULL,
    done_at     bigint NOT NULL,
    PRIMARY KEY (workspace, deletion_id)
);

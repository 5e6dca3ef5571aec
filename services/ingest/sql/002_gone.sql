-- Ids whose profiles were deleted, by which their past is recognised. All times are milliseconds since
-- the epoch, UTC.

-- The secret by which ids become `gone.key`, made at the first start.
ALTER TABLE {schema}.settings ADD COLUMN gone_secret bytea;

-- `key` is a keyed hash of workspace and id, `mark` a few bits of a plain one for the filter in memory.
-- What happened up to `deleted_at` is not recorded. `number` counts deletions, and is that of the
-- latest one of this id.
CREATE TABLE {schema}.gone (
    key        uuid   PRIMARY KEY,
    mark       int    NOT NULL,
    deleted_at bigint NOT NULL,
    number     bigint NOT NULL
);

CREATE INDEX gone_number ON {schema}.gone (number);

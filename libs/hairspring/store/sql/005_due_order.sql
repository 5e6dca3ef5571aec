-- Due times are read page by page in their order, and many may fall on one moment, such as a
-- midnight; so the index holds the whole order.
DROP INDEX {schema}.profiles_due;
CREATE INDEX profiles_due ON {schema}.profiles (shard, due_at, workspace, profile)
    WHERE due_at IS NOT NULL;

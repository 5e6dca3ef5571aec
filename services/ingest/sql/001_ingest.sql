-- What ingest keeps beside its log. All times are milliseconds since the epoch, UTC.

-- What was decided at the installation, for good. One row.
CREATE TABLE {schema}.settings (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    shard_count int     NOT NULL CHECK (shard_count BETWEEN 1 AND 32768)
);

-- The imports. While `finished_position` is null, records may be added.
CREATE TABLE {schema}.imports (
    workspace         text    NOT NULL,
    import_id         text    NOT NULL,
    last_append_at    bigint  NOT NULL,
    with_flows        boolean NOT NULL DEFAULT false,
    finished_position bigint,
    PRIMARY KEY (workspace, import_id)
);

-- The ones that may have fallen silent.
CREATE INDEX imports_open ON {schema}.imports (last_append_at) WHERE finished_position IS NULL;

-- Deletions: whose records are erased up to where. All times are milliseconds since the epoch, UTC.

-- How many deletions were made. Whoever appends may say how many it knows of.
ALTER TABLE {schema}.lane ADD COLUMN deletions bigint NOT NULL DEFAULT 0;

-- What was, or is still to be, erased of a profile in this log: everything before `first_position`.
-- From there up to `position` stand the records that tell of the deletion. `profiles` are the ids that
-- stood for the profile, in `shards`; all three are null once the ids are forgotten. `erased` counts
-- what went with it elsewhere, by kind.
CREATE TABLE {schema}.deletions (
    workspace      text   NOT NULL,
    deletion_id    text   NOT NULL,
    profile        text,
    profiles       text[],
    shards         int[],
    first_position bigint NOT NULL,
    position       bigint NOT NULL,
    deleted_at     bigint NOT NULL,
    erased         jsonb  NOT NULL,
    records        bigint NOT NULL DEFAULT 0,
    done_at        bigint,
    PRIMARY KEY (workspace, deletion_id)
);

CREATE INDEX deletions_open ON {schema}.deletions (position) WHERE done_at IS NULL;
CREATE INDEX deletions_named ON {schema}.deletions (workspace, profile) WHERE profile IS NOT NULL;
CREATE INDEX deletions_to_forget ON {schema}.deletions (done_at) WHERE profile IS NOT NULL;

-- Refuses to go on (HS001) where there are other deletions than the caller knows of. It locks the lane,
-- so none can come between this and the end of the transaction.
CREATE FUNCTION {schema}.log_knows(known bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    SELECT deletions INTO made FROM {schema}.lane FOR UPDATE;
    IF made <> known THEN
        RAISE EXCEPTION '% deletions were made, and % are known', made, known
            USING ERRCODE = 'HS001';
    END IF;
    RETURN true;
END
$$;

-- Who owns which shards, and how far they have read. Times are milliseconds since the epoch, UTC.

-- One row for each replica that is there. It also holds a session lock on its key for as long as
-- its process lives: whoever gets that lock knows that the replica is gone.
CREATE TABLE {schema}.replicas (
    replica_id  text   PRIMARY KEY,
    started_at  bigint NOT NULL,
    lease_until bigint NOT NULL
) WITH (fillfactor = 20);

-- Every effect begins with an update of these rows, so they leave room for it within the page.
CREATE TABLE {schema}.shards (
    shard              int    PRIMARY KEY,
    replica_id         text,                        -- the owner, null for none
    epoch              bigint NOT NULL DEFAULT 0,   -- raised whenever the owner changes
    position           bigint NOT NULL DEFAULT 0,   -- the log is read and committed up to here
    plan_version       bigint NOT NULL DEFAULT 0,   -- the plan under which the next one is judged
    rebuilt_generation text                         -- of the timers, when last rebuilt from here
) WITH (fillfactor = 20);

CREATE FUNCTION {schema}.ownership_clock() RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;

CREATE FUNCTION {schema}.replica_key(replica text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT hashtextextended('hairspring.{schema}.replica.' || replica, 0)
$$;

-- Makes the shards of a new installation; answers how many there are, then and later.
CREATE FUNCTION {schema}.shards_install(wanted int) RETURNS int
LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE {schema}.shards IN SHARE ROW EXCLUSIVE MODE;
    IF NOT EXISTS (SELECT FROM {schema}.shards) THEN
        INSERT INTO {schema}.shards (shard) SELECT generate_series(0, wanted - 1);
    END IF;
    RETURN (SELECT count(*) FROM {schema}.shards);
END
$$;

-- Takes every shard that has no owner or whose owner is gone, raises its epoch, and answers all
-- that `me` owns then. It waits for effects that the former owner has begun, at most ten seconds.
-- Takers go one at a time; who finds another at it, or has no row as a replica, takes nothing.
CREATE FUNCTION {schema}.shards_take(me text) RETURNS SETOF {schema}.shards
LANGUAGE plpgsql SET lock_timeout = '10s' AS $$
DECLARE
    gone  text[];
    taken int[];
BEGIN
    IF pg_try_advisory_xact_lock(hashtextextended('hairspring.{schema}.shards_take', 0))
       AND EXISTS (SELECT FROM {schema}.replicas WHERE replica_id = me) THEN
        gone := ARRAY(
            SELECT r.replica_id FROM {schema}.replicas AS r
            WHERE r.replica_id <> me
              AND (r.lease_until < {schema}.ownership_clock()
                   OR pg_try_advisory_xact_lock({schema}.replica_key(r.replica_id)))
        );
        taken := ARRAY(
            SELECT s.shard FROM {schema}.shards AS s
            WHERE s.replica_id IS NULL OR s.replica_id = ANY (gone)
               OR NOT EXISTS (
                   SELECT FROM {schema}.replicas AS r WHERE r.replica_id = s.replica_id)
            ORDER BY s.shard
            FOR UPDATE OF s
        );
        UPDATE {schema}.shards AS s SET replica_id = me, epoch = s.epoch + 1
        WHERE s.shard = ANY (taken);
        DELETE FROM {schema}.replicas AS r WHERE r.replica_id = ANY (gone);
    END IF;
    RETURN QUERY SELECT * FROM {schema}.shards AS s WHERE s.replica_id = me ORDER BY s.shard;
END
$$;

-- Begins an effect: locks the rows of the shards that `me` owns under the given epochs, moves them
-- on, and answers how many they are. Who has waited for a row sees it as it is then, with the epoch
-- that was raised meanwhile. The settings make it look up shard by shard in the order given, which
-- is that of the shards: so fences never deadlock, and 256 shards cost no more than a few.
CREATE FUNCTION {schema}.shards_fence(
    shards int[], epochs bigint[], me text, reached bigint, plan bigint
) RETURNS int
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    held int;
BEGIN
    UPDATE {schema}.shards AS s
    SET position = greatest(s.position, reached),
        plan_version = coalesce(plan, s.plan_version)
    FROM unnest(shards, epochs) AS h (shard, epoch)
    WHERE s.shard = h.shard AND s.epoch = h.epoch AND s.replica_id = me;
    GET DIAGNOSTICS held = ROW_COUNT;
    RETURN held;
END
$$;

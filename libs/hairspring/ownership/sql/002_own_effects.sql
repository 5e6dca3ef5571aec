-- Takes every shard that has no owner or whose owner is gone, raises its epoch, and answers all
-- that `me` owns then. It waits for effects that the former owner has begun, at most ten seconds,
-- and for those that `me` has begun too: a commit whose connection broke may still be under way,
-- and who went on from what stood before it would do the same again.
-- Takers go one at a time; who finds another at it, or has no row as a replica, takes nothing.
CREATE OR REPLACE FUNCTION {schema}.shards_take(me text) RETURNS SETOF {schema}.shards
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
    RETURN QUERY
        SELECT * FROM {schema}.shards AS s WHERE s.replica_id = me ORDER BY s.shard FOR UPDATE;
END
$$;

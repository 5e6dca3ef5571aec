-- Replicas share the shards evenly. Times are milliseconds since the epoch, UTC.

-- Where other replicas reach this one, as host:port; empty where it serves nothing to them.
ALTER TABLE {schema}.replicas ADD COLUMN address text NOT NULL DEFAULT '';

-- Prolongs the lease of `me`, or makes its row and tells the others; answers whether it was there.
-- The row is gone at the start, and once another replica has found this one gone.
CREATE FUNCTION {schema}.replica_renew(me text, lease bigint, reached_at text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    clock bigint := {schema}.ownership_clock();
BEGIN
    UPDATE {schema}.replicas SET lease_until = clock + lease, address = reached_at
    WHERE replica_id = me;
    IF FOUND THEN
        RETURN true;
    END IF;
    INSERT INTO {schema}.replicas (replica_id, started_at, lease_until, address)
    VALUES (me, clock, clock + lease, reached_at);
    PERFORM pg_notify('{schema}_shards', '');
    RETURN false;
END
$$;

-- Withdraws `me`: gives up its shards, once effects that have begun have ended, removes its row,
-- and tells the others. Its epochs stay; whoever takes a shard raises them.
CREATE FUNCTION {schema}.replica_leave(me text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {schema}.shards AS s SET replica_id = NULL
    WHERE s.shard = ANY (ARRAY(
        SELECT h.shard FROM {schema}.shards AS h WHERE h.replica_id = me
        ORDER BY h.shard FOR UPDATE
    ));
    DELETE FROM {schema}.replicas WHERE replica_id = me;
    PERFORM pg_notify('{schema}_shards', '');
END
$$;

-- Whether anybody holds this advisory lock just now. To look, instead of trying to get it, keeps
-- those who look from seeing each other.
CREATE FUNCTION {schema}.lock_is_held(key bigint) RETURNS boolean
LANGUAGE sql VOLATILE AS $$
    SELECT EXISTS (
        SELECT FROM pg_locks AS l
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND (l.classid::bigint << 32) | l.objid::bigint = key
    )
$$;

-- The replicas other than `me` that are gone: their lease has run out, or nobody holds their lock.
CREATE FUNCTION {schema}.replicas_gone(me text) RETURNS SETOF text
LANGUAGE sql VOLATILE AS $$
    SELECT r.replica_id FROM {schema}.replicas AS r
    WHERE r.replica_id <> me
      AND (r.lease_until < {schema}.ownership_clock()
           OR NOT {schema}.lock_is_held({schema}.replica_key(r.replica_id)))
$$;

-- How many shards are due to `me` when the replicas `gone` count no more: an even share, and one
-- more for as many of the oldest as there are shards left over. So shares differ by at most one,
-- and they change only when a replica comes or goes.
CREATE FUNCTION {schema}.shards_due(me text, gone text[]) RETURNS int
LANGUAGE sql VOLATILE AS $$
    SELECT (a.shards / l.replicas
            + CASE WHEN l.place <= a.shards % l.replicas THEN 1 ELSE 0 END)::int
    FROM (
        SELECT r.replica_id,
               row_number() OVER (ORDER BY r.started_at, r.replica_id) AS place,
               count(*) OVER () AS replicas
        FROM {schema}.replicas AS r WHERE r.replica_id <> ALL (gone)
    ) AS l, (SELECT count(*) AS shards FROM {schema}.shards) AS a
    WHERE l.replica_id = me
$$;

-- Whether taking would change what `me` owns: it owns more than its share, or less while some are
-- free. Null while another replica is taking: nobody knows before it is done.
CREATE FUNCTION {schema}.shards_unbalanced(me text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    gone text[];
    due  int;
    mine int;
    free int;
BEGIN
    IF {schema}.lock_is_held(hashtextextended('hairspring.{schema}.shards_take', 0)) THEN
        RETURN NULL;
    END IF;
    gone := ARRAY(SELECT {schema}.replicas_gone(me));
    due := {schema}.shards_due(me, gone);
    IF due IS NULL THEN
        RETURN false;
    END IF;
    SELECT count(*) FILTER (WHERE s.replica_id = me),
           count(*) FILTER (
               WHERE s.replica_id IS NULL OR s.replica_id = ANY (gone) OR r.replica_id IS NULL)
    INTO mine, free
    FROM {schema}.shards AS s LEFT JOIN {schema}.replicas AS r USING (replica_id);
    RETURN mine > due OR (mine < due AND free > 0);
END
$$;

-- Brings `me` to its share, and answers all that it owns then. What it gives up, and what those who
-- are gone have left, is nobody's; what it takes gets a higher epoch. It waits for effects that the
-- former owner has begun, at most ten seconds, and for those that `me` has begun: a commit whose
-- connection broke may still be under way. Takers go one at a time; who finds another at it for
-- half a second, or has no row as a replica, changes nothing.
CREATE OR REPLACE FUNCTION {schema}.shards_take(me text) RETURNS SETOF {schema}.shards
LANGUAGE plpgsql SET lock_timeout = '10s' AS $$
DECLARE
    gone    text[];
    due     int;
    mine    int;
    freed   int;
    given   int;
    settled int;
    alone   boolean;
BEGIN
    FOR turn IN 1..50 LOOP
        alone := pg_try_advisory_xact_lock(hashtextextended('hairspring.{schema}.shards_take', 0));
        EXIT WHEN alone;
        PERFORM pg_sleep(0.01);
    END LOOP;
    IF alone THEN
        gone := ARRAY(SELECT {schema}.replicas_gone(me));
        due := {schema}.shards_due(me, gone);
        IF due IS NOT NULL THEN
            UPDATE {schema}.shards AS s SET replica_id = NULL
            WHERE s.shard = ANY (ARRAY(
                SELECT h.shard FROM {schema}.shards AS h
                WHERE h.replica_id = ANY (gone)
                   OR (h.replica_id IS NOT NULL AND NOT EXISTS (
                       SELECT FROM {schema}.replicas AS r WHERE r.replica_id = h.replica_id))
                ORDER BY h.shard FOR UPDATE
            ));
            GET DIAGNOSTICS freed = ROW_COUNT;
            DELETE FROM {schema}.replicas AS r WHERE r.replica_id = ANY (gone);
            SELECT count(*) INTO mine FROM {schema}.shards AS s WHERE s.replica_id = me;
            UPDATE {schema}.shards AS s SET replica_id = NULL
            WHERE s.shard = ANY (ARRAY(
                SELECT h.shard FROM {schema}.shards AS h WHERE h.replica_id = me
                ORDER BY h.shard OFFSET due FOR UPDATE
            ));
            GET DIAGNOSTICS given = ROW_COUNT;
            UPDATE {schema}.shards AS s SET replica_id = me, epoch = s.epoch + 1
            WHERE s.shard = ANY (ARRAY(
                SELECT h.shard FROM {schema}.shards AS h WHERE h.replica_id IS NULL
                ORDER BY h.shard LIMIT greatest(due - mine, 0) FOR UPDATE
            ));
            GET DIAGNOSTICS settled = ROW_COUNT;
            IF freed + given + settled > 0 OR cardinality(gone) > 0 THEN
                PERFORM pg_notify('{schema}_shards', '');
            END IF;
        END IF;
    END IF;
    RETURN QUERY
        SELECT * FROM {schema}.shards AS s WHERE s.replica_id = me ORDER BY s.shard FOR UPDATE;
END
$$;

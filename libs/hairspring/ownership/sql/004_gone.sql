-- What those who are gone have left is freed apart from the taking, so that whoever is to take it
-- can go on with its own shards meanwhile: a paused owner may hold rows for seconds. Times are
-- milliseconds since the epoch, UTC.

-- Whether shards are to be freed, as their owner is gone, or is no replica at all.
CREATE FUNCTION {schema}.shards_left(me text) RETURNS boolean
LANGUAGE sql VOLATILE AS $$
    SELECT EXISTS (SELECT FROM {schema}.replicas_gone(me))
        OR EXISTS (
            SELECT FROM {schema}.shards AS s
            WHERE s.replica_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM {schema}.replicas AS r WHERE r.replica_id = s.replica_id))
$$;

-- Frees the shards of those who are gone, removes their rows, and tells the others. It waits for
-- effects that they have begun, at most ten seconds. One does it at a time; who finds another at it
-- for half a second changes nothing.
CREATE FUNCTION {schema}.shards_free(me text) RETURNS void
LANGUAGE plpgsql SET lock_timeout = '10s' AS $$
DECLARE
    gone  text[];
    alone boolean;
BEGIN
    FOR turn IN 1..50 LOOP
        alone := pg_try_advisory_xact_lock(hashtextextended('hairspring.{schema}.shards_free', 0));
        EXIT WHEN alone;
        PERFORM pg_sleep(0.01);
    END LOOP;
    IF NOT alone THEN
        RETURN;
    END IF;
    gone := ARRAY(SELECT {schema}.replicas_gone(me));
    UPDATE {schema}.shards AS s SET replica_id = NULL
    WHERE s.shard = ANY (ARRAY(
        SELECT h.shard FROM {schema}.shards AS h
        WHERE h.replica_id = ANY (gone)
           OR (h.replica_id IS NOT NULL AND NOT EXISTS (
               SELECT FROM {schema}.replicas AS r WHERE r.replica_id = h.replica_id))
        ORDER BY h.shard FOR UPDATE
    ));
    IF FOUND OR cardinality(gone) > 0 THEN
        DELETE FROM {schema}.replicas AS r WHERE r.replica_id = ANY (gone);
        PERFORM pg_notify('{schema}_shards', '');
    END IF;
END
$$;

-- How things stand for `me`: 'taking' while another replica is at it, and nobody knows before it
-- is done; 'left' while shards of those who are gone are to be freed; 'uneven' where taking would
-- change what `me` owns; else 'even'.
CREATE FUNCTION {schema}.shards_look(me text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    due  int;
    mine int;
    free int;
BEGIN
    IF {schema}.lock_is_held(hashtextextended('hairspring.{schema}.shards_take', 0)) THEN
        RETURN 'taking';
    END IF;
    IF {schema}.shards_left(me) THEN
        RETURN 'left';
    END IF;
    due := {schema}.shards_due(me, '{}');
    IF due IS NULL THEN
        RETURN 'even';
    END IF;
    SELECT count(*) FILTER (WHERE s.replica_id = me), count(*) FILTER (WHERE s.replica_id IS NULL)
    INTO mine, free FROM {schema}.shards AS s;
    RETURN CASE WHEN mine > due OR (mine < due AND free > 0) THEN 'uneven' ELSE 'even' END;
END
$$;

DROP FUNCTION {schema}.shards_unbalanced(text);

-- Brings `me` to its share, and answers all that it owns then. What it gives up is nobody's; what
-- it takes gets a higher epoch. It waits for effects that `me` has begun, at most ten seconds: a
-- commit whose connection broke may still be under way. It waits for nobody else's, as what is
-- nobody's was freed behind them. Takers go one at a time; who finds another at it for half a
-- second, or has no row as a replica, changes nothing.
CREATE OR REPLACE FUNCTION {schema}.shards_take(me text) RETURNS SETOF {schema}.shards
LANGUAGE plpgsql SET lock_timeout = '10s' AS $$
DECLARE
    due   int;
    mine  int;
    given int;
    taken int;
    alone boolean;
BEGIN
    FOR turn IN 1..50 LOOP
        alone := pg_try_advisory_xact_lock(hashtextextended('hairspring.{schema}.shards_take', 0));
        EXIT WHEN alone;
        PERFORM pg_sleep(0.01);
    END LOOP;
    IF alone THEN
        due := {schema}.shards_due(me, ARRAY(SELECT {schema}.replicas_gone(me)));
        IF due IS NOT NULL THEN
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
            GET DIAGNOSTICS taken = ROW_COUNT;
            IF given + taken > 0 THEN
                PERFORM pg_notify('{schema}_shards', '');
            END IF;
        END IF;
    END IF;
    RETURN QUERY
        SELECT * FROM {schema}.shards AS s WHERE s.replica_id = me ORDER BY s.shard FOR UPDATE;
END
$$;

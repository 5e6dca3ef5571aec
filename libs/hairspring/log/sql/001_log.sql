-- The log of one schema: the lane (one row), the records, and the window of repeats.
-- All times are milliseconds since the epoch, UTC.

-- The lane. Whoever appends locks this row first and holds it to the commit, so that the order of
-- commits is the order of positions. The low fill factor keeps its updates within the page.
CREATE TABLE {schema}.lane (
    lane                smallint PRIMARY KEY DEFAULT 1 CHECK (lane = 1),
    head                bigint   NOT NULL DEFAULT 0,  -- the last position
    accepted_at         bigint   NOT NULL DEFAULT 0,  -- no later record gets an earlier time
    trimmed             bigint   NOT NULL DEFAULT 0,  -- the retention dropped all up to here
    partition_width     bigint   NOT NULL DEFAULT 5000000,
    partitioned_through bigint   NOT NULL DEFAULT 0,  -- there are partitions up to here
    repeats_day         bigint   NOT NULL DEFAULT 0   -- the day whose table takes the keys
) WITH (fillfactor = 10);

INSERT INTO {schema}.lane DEFAULT VALUES;

CREATE TABLE {schema}.log (
    position    bigint NOT NULL,
    accepted_at bigint NOT NULL,
    shard       int    NOT NULL,
    workspace   text   NOT NULL,
    profile     text   NOT NULL,
    payload     bytea  NOT NULL,
    PRIMARY KEY (position)
) PARTITION BY RANGE (position);

CREATE INDEX log_by_profile ON {schema}.log (shard, workspace, profile, position);

-- Keys of even and of odd days. A key is looked for in both; on a new day the table of the day
-- before yesterday is emptied and takes the new keys. So a key is known for 24 to 48 hours.
CREATE TABLE {schema}.repeats_even (key uuid PRIMARY KEY);
CREATE TABLE {schema}.repeats_odd (key uuid PRIMARY KEY);

-- The server's clock.
CREATE FUNCTION {schema}.log_clock() RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;

-- Makes partitions until a whole empty one lies ahead of `reached`. The lane is locked by the
-- caller. A partition is made by itself and then attached, which readers do not notice.
CREATE FUNCTION {schema}.log_extend(reached bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    width bigint;
    made  bigint;
    child text;
BEGIN
    SELECT partition_width, partitioned_through INTO width, made FROM {schema}.lane;
    WHILE made - width < reached LOOP
        child := format('log_%s', lpad((made + 1)::text, 16, '0'));
        EXECUTE format(
            'CREATE TABLE {schema}.%I (LIKE {schema}.log INCLUDING ALL)', child);
        EXECUTE format(
            'ALTER TABLE {schema}.log ATTACH PARTITION {schema}.%I FOR VALUES FROM (%s) TO (%s)',
            child, made + 1, made + width + 1);
        made := made + width;
    END LOOP;
    UPDATE {schema}.lane SET partitioned_through = made;
END
$$;

SELECT {schema}.log_extend(1);

-- Begins a new day of repeats if it can be done at once. If somebody reads the table (a dump),
-- the old day goes on taking keys: the window is then longer, never shorter.
CREATE FUNCTION {schema}.log_turn_repeats(today bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    former bigint;
BEGIN
    SELECT repeats_day INTO former FROM {schema}.lane;
    LOCK TABLE {schema}.repeats_even, {schema}.repeats_odd IN ACCESS EXCLUSIVE MODE NOWAIT;
    IF today % 2 = 0 OR today - former > 1 THEN
        TRUNCATE {schema}.repeats_even;
    END IF;
    IF today % 2 = 1 OR today - former > 1 THEN
        TRUNCATE {schema}.repeats_odd;
    END IF;
    UPDATE {schema}.lane SET repeats_day = today;
EXCEPTION
    WHEN lock_not_available THEN
        NULL;
END
$$;

-- Finds the entries (by their places) that are no repeats, and remembers their keys. The lane is
-- locked by the caller. The settings keep the plan to look-ups in the indexes, also while the
-- statistics still say that the tables are empty.
CREATE FUNCTION {schema}.log_fresh(keys uuid[]) RETURNS int[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    fresh int[];
BEGIN
    fresh := ARRAY(
        SELECT named.place
        FROM (
            SELECT given.key, min(given.place)::int AS place
            FROM unnest(keys) WITH ORDINALITY AS given (key, place)
            WHERE given.key IS NOT NULL
            GROUP BY given.key
        ) AS named
        WHERE NOT EXISTS (SELECT FROM {schema}.repeats_even AS e WHERE e.key = named.key)
          AND NOT EXISTS (SELECT FROM {schema}.repeats_odd AS o WHERE o.key = named.key)
    );
    IF (SELECT repeats_day % 2 = 0 FROM {schema}.lane) THEN
        INSERT INTO {schema}.repeats_even SELECT keys[place] FROM unnest(fresh) AS place ORDER BY 1;
    ELSE
        INSERT INTO {schema}.repeats_odd SELECT keys[place] FROM unnest(fresh) AS place ORDER BY 1;
    END IF;
    RETURN ARRAY(
        SELECT place FROM unnest(fresh) AS place
        UNION ALL
        SELECT given.place::int FROM unnest(keys) WITH ORDINALITY AS given (key, place)
        WHERE given.key IS NULL
        ORDER BY 1
    );
END
$$;

-- Appends entries and answers the position of each (0 for a repeat) and when they were accepted.
CREATE FUNCTION {schema}.log_append(
    shards int[], workspaces text[], profiles text[], payloads bytea[], keys uuid[],
    OUT positions bigint[], OUT accepted bigint
)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    lane  {schema}.lane%ROWTYPE;
    fresh int[];
    place int;
    count int := cardinality(payloads);
BEGIN
    SELECT * INTO lane FROM {schema}.lane FOR UPDATE;
    -- The clock is read once the lane is ours, so it is later than that of whoever had it before.
    accepted := greatest({schema}.log_clock(), lane.accepted_at);
    IF keys IS NULL THEN
        positions := ARRAY(SELECT generate_series(lane.head + 1, lane.head + count));
        lane.head := lane.head + count;
    ELSE
        IF accepted / 86400000 > lane.repeats_day THEN
            PERFORM {schema}.log_turn_repeats(accepted / 86400000);
        END IF;
        fresh := {schema}.log_fresh(keys);
        positions := array_fill(0::bigint, ARRAY[count]);
        FOREACH place IN ARRAY fresh LOOP
            lane.head := lane.head + 1;
            positions[place] := lane.head;
        END LOOP;
        IF cardinality(fresh) = 0 THEN
            RETURN;
        END IF;
    END IF;
    UPDATE {schema}.lane AS l SET head = lane.head, accepted_at = accepted;
    IF lane.head > lane.partitioned_through - lane.partition_width THEN
        PERFORM {schema}.log_extend(lane.head);
    END IF;
    INSERT INTO {schema}.log (position, accepted_at, shard, workspace, profile, payload)
    SELECT e.position, accepted, e.shard, e.workspace, e.profile, e.payload
    FROM unnest(positions, shards, workspaces, profiles, payloads)
        AS e (position, shard, workspace, profile, payload)
    WHERE e.position > 0;
    PERFORM pg_notify('{schema}_log', '');
END
$$;

-- Draws a line: once the clock is beyond `asked`, waits for the appends in flight and sees to it
-- that later ones are accepted later than `through`, which is `asked` or after it. While the clock
-- is not there yet, answers by how many milliseconds, and nothing else.
CREATE FUNCTION {schema}.log_barrier(
    asked bigint, OUT ahead bigint, OUT reached bigint, OUT through bigint
)
LANGUAGE plpgsql AS $$
DECLARE
    last bigint;
BEGIN
    ahead := asked + 1 - {schema}.log_clock();
    IF ahead > 0 THEN
        RETURN;
    END IF;
    ahead := 0;
    SELECT l.head, l.accepted_at INTO reached, last FROM {schema}.lane AS l FOR UPDATE;
    IF last > asked THEN
        -- Nothing is written, so there is nothing to wait for on the disk.
        PERFORM set_config('synchronous_commit', 'off', true);
    ELSE
        last := greatest({schema}.log_clock(), asked + 1);
        UPDATE {schema}.lane SET accepted_at = last;
    END IF;
    through := last - 1;
END
$$;

-- What the retention needs: when the records that were dropped last were accepted, and partitions that
-- each hold about so much time, instead of so many records. All times are milliseconds since the epoch,
-- UTC.
ALTER TABLE {schema}.lane
    ADD COLUMN trimmed_at     bigint NOT NULL DEFAULT 0,  -- when the record at `trimmed` was accepted
    ADD COLUMN partition_span bigint NOT NULL DEFAULT 0,  -- how long one is to last; 0 for no matter
    ADD COLUMN extended_at    bigint NOT NULL DEFAULT 0;  -- when the last one was made

-- As before; where partitions are to last for a time, the next one is as wide as the last was filled
-- fast, from a fourth of it to four times as wide.
CREATE OR REPLACE FUNCTION {schema}.log_extend(reached bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    width    bigint;
    made     bigint;
    span     bigint;
    extended bigint;
    clock    bigint := {schema}.log_clock();
    child    text;
BEGIN
    SELECT partition_width, partitioned_through, partition_span, extended_at
    INTO width, made, span, extended FROM {schema}.lane;
    WHILE made - width < reached LOOP
        IF span > 0 AND extended > 0 THEN
            width := least(greatest(
                (width::numeric * span / greatest(clock - extended, 1))::bigint, width / 4, 1000
            ), width * 4, 5000000);
        END IF;
        extended := clock;
        child := format('log_%s', lpad((made + 1)::text, 16, '0'));
        EXECUTE format(
            'CREATE TABLE {schema}.%I (LIKE {schema}.log INCLUDING ALL)', child);
        EXECUTE format(
            'ALTER TABLE {schema}.log ATTACH PARTITION {schema}.%I FOR VALUES FROM (%s) TO (%s)',
            child, made + 1, made + width + 1);
        made := made + width;
    END LOOP;
    UPDATE {schema}.lane
    SET partitioned_through = made, partition_width = width, extended_at = extended;
END
$$;

-- The partitions that are attached, the oldest first; `last` is null for the one furthest ahead.
CREATE FUNCTION {schema}.log_partitions()
RETURNS TABLE (child text, first bigint, last bigint, detaching boolean)
LANGUAGE sql STABLE AS $$
    SELECT c.relname::text, substr(c.relname, 5)::bigint,
           lead(substr(c.relname, 5)::bigint) OVER (ORDER BY c.relname) - 1, i.inhdetachpending
    FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = '{schema}.log'::regclass ORDER BY c.relname
$$;

-- Has partitions last for `span` from here on, the first `width` wide. What lies ahead and is empty is
-- made anew, and the one in use ends at the head, unless it holds more than `most` records: to close it
-- is to look at each of them, while nobody can append. Answers whether the one in use was closed.
CREATE FUNCTION {schema}.log_recut(span bigint, width bigint, most bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    lane   {schema}.lane%ROWTYPE;
    part   record;
    closed boolean := true;
BEGIN
    SET LOCAL lock_timeout = '300ms';
    SELECT * INTO lane FROM {schema}.lane FOR UPDATE;
    FOR part IN SELECT * FROM {schema}.log_partitions() ORDER BY first DESC LOOP
        EXIT WHEN part.first <= lane.head
              AND (lane.head = coalesce(part.last, lane.partitioned_through)
                   OR lane.head - part.first >= most);
        EXECUTE format('ALTER TABLE {schema}.log DETACH PARTITION {schema}.%I', part.child);
        IF part.first > lane.head THEN
            EXECUTE format('DROP TABLE {schema}.%I', part.child);
            lane.partitioned_through := part.first - 1;
        ELSE
            EXECUTE format(
                'ALTER TABLE {schema}.log ATTACH PARTITION {schema}.%I FOR VALUES FROM (%s) TO (%s)',
                part.child, part.first, lane.head + 1);
            lane.partitioned_through := lane.head;
            EXIT;
        END IF;
    END LOOP;
    closed := lane.partitioned_through = lane.head;
    UPDATE {schema}.lane AS l
    SET partitioned_through = lane.partitioned_through, partition_span = span,
        partition_width = width, extended_at = 0;
    PERFORM {schema}.log_extend(lane.head);
    RETURN closed;
END
$$;

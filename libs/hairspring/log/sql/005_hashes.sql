-- The records of a profile are found by a hash of its id, and by which million of the log they stand in.
-- Postgres keeps equal keys once, so that a record takes some 10 to 30 bytes of the index instead of 75,
-- and what an append changes of it stays in memory much longer. To build it takes some seconds for a
-- million records, while nobody can append.
CREATE INDEX log_by_profile_hash ON {schema}.log (
    hashtextextended(profile, hashtextextended(workspace, shard)), (position >> 20)
);

DROP INDEX {schema}.log_by_profile;

-- The records of profiles behind `after` and up to `through`, in the order of the log. Within a million
-- the index has no order, so all that a profile has there is read to be sorted: it is looked up first in
-- which million the page ends. The settings keep the plan to walks along the index, which end with the
-- page, also while there are no statistics of a partition; a bare position would tempt it to the primary
-- key.
CREATE FUNCTION {schema}.log_history(
    shards int[], profiles text[], space text, after bigint, through bigint, most int
)
RETURNS TABLE (
    "position" bigint, shard int, workspace text, profile text, accepted_at bigint, payload bytea
)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    SELECT r."position", r.shard, r.workspace, r.profile, r.accepted_at, r.payload
    FROM unnest(shards, profiles) AS p (shard, profile)
    CROSS JOIN LATERAL (
        SELECT max(k.million) AS million FROM (
            SELECT l."position" >> 20 AS million FROM {schema}.log AS l
            WHERE hashtextextended(l.profile, hashtextextended(l.workspace, l.shard))
                  = hashtextextended(p.profile, hashtextextended(space, p.shard))
              AND l."position" >> 20 >= after >> 20 AND l."position" >> 20 <= through >> 20
              AND l.shard = p.shard AND l.workspace = space AND l.profile = p.profile
              AND l."position" + 0 > after AND l."position" + 0 <= through
            ORDER BY l."position" >> 20 LIMIT most
        ) AS k
    ) AS ends
    CROSS JOIN LATERAL (
        SELECT l."position", l.shard, l.workspace, l.profile, l.accepted_at, l.payload
        FROM {schema}.log AS l
        WHERE hashtextextended(l.profile, hashtextextended(l.workspace, l.shard))
              = hashtextextended(p.profile, hashtextextended(space, p.shard))
          AND l."position" >> 20 >= after >> 20 AND l."position" >> 20 <= ends.million
          AND l.shard = p.shard AND l.workspace = space AND l.profile = p.profile
          AND l."position" + 0 > after AND l."position" + 0 <= through
        ORDER BY l."position" + 0 LIMIT most
    ) AS r
    ORDER BY r."position" LIMIT most;
END
$$;

-- Takes payload and profile from some of the records of profiles that stand before `before`, but for
-- those to `keep`; answers from how many. They are found as in log_history, in no order.
CREATE FUNCTION {schema}.log_erase(
    shards int[], profiles text[], space text, before bigint, keep bigint[], erased text, most int
) RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    found  bigint[];
    count_ bigint;
BEGIN
    found := ARRAY(
        SELECT r."position" FROM unnest(shards, profiles) AS p (shard, profile)
        CROSS JOIN LATERAL (
            SELECT l."position" FROM {schema}.log AS l
            WHERE hashtextextended(l.profile, hashtextextended(l.workspace, l.shard))
                  = hashtextextended(p.profile, hashtextextended(space, p.shard))
              AND l.shard = p.shard AND l.workspace = space AND l.profile = p.profile
              AND l."position" + 0 < before AND l."position" <> ALL (keep)
            LIMIT most
        ) AS r LIMIT most
    );
    UPDATE {schema}.log AS l SET payload = '', profile = erased WHERE l."position" = ANY (found);
    GET DIAGNOSTICS count_ = ROW_COUNT;
    RETURN count_;
END
$$;

-- As before, but for the index. Makes an id part of a profile. Answers what it was until then (the id,
-- or the profile that it had stood for), or null where nothing is to be done; `recorded` says whether
-- anything is recorded of that. The lane is locked by the caller, whose head is `head`; entries that it
-- has in hand are told by `in_hand` (how many there are of the id) and `in_hand_known` (whether a known
-- person was named).
CREATE OR REPLACE FUNCTION {schema}.log_join(
    space text, into_shard int, into_profile text, link_shard int, link_id text, asked boolean,
    in_hand bigint, in_hand_known boolean, head bigint, accepted bigint, most_ids int, most_records int,
    OUT was_shard int, OUT was text, OUT recorded boolean
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    link      {schema}.links%ROWTYPE;
    linked    boolean;
    ids_into  int;
    ids_was   int := 1;
    records   bigint;
    anonymous boolean;
BEGIN
    SELECT * INTO link FROM {schema}.links AS l
    WHERE l.shard = link_shard AND l.workspace = space AND l.id = link_id;
    linked := FOUND;
    IF link_id = into_profile OR (linked AND (NOT asked OR link.profile = into_profile)) THEN
        RETURN;
    END IF;
    SELECT count(*), bool_and(s.anonymous IS TRUE) INTO records, anonymous FROM (
        SELECT l.anonymous FROM {schema}.log AS l
        WHERE hashtextextended(l.profile, hashtextextended(l.workspace, l.shard))
              = hashtextextended(link_id, hashtextextended(space, link_shard))
          AND l.shard = link_shard AND l.workspace = space AND l.profile = link_id
        LIMIT CASE WHEN asked THEN 1 ELSE most_records + 1 END
    ) AS s;
    IF NOT asked AND (NOT coalesce(anonymous, true) OR in_hand_known OR records > most_records) THEN
        -- A person of her own, or more than a person: from here on this is found by the key.
        INSERT INTO {schema}.links VALUES
            (link_shard, space, link_id, link_id, link_shard, link_id, head, accepted, 1);
        RETURN;
    END IF;
    was_shard := link_shard;
    was := link_id;
    recorded := records + in_hand > 0;
    IF linked THEN
        was_shard := link.profile_shard;
        was := link.profile;
        SELECT l.ids INTO ids_was FROM {schema}.links AS l
        WHERE l.shard = was_shard AND l.workspace = space AND l.id = was;
        recorded := true;
    END IF;
    SELECT l.ids INTO ids_into FROM {schema}.links AS l
    WHERE l.shard = into_shard AND l.workspace = space AND l.id = into_profile;
    ids_into := coalesce(ids_into, 1) + ids_was;
    IF ids_into > most_ids THEN
        was := NULL;
        RETURN;
    END IF;
    INSERT INTO {schema}.links VALUES
        (into_shard, space, into_profile, into_profile, into_shard, into_profile, head, accepted,
         ids_into)
    ON CONFLICT (shard, workspace, id) DO UPDATE SET ids = excluded.ids;
    IF ids_was > 1 THEN
        WITH RECURSIVE below AS (
            SELECT l.shard, l.id FROM {schema}.links AS l
            WHERE l.workspace = space AND l.joined = was AND l.id <> l.joined
            UNION ALL
            SELECT l.shard, l.id FROM below AS b JOIN {schema}.links AS l
              ON l.workspace = space AND l.joined = b.id AND l.id <> l.joined
        )
        UPDATE {schema}.links AS l SET profile = into_profile, profile_shard = into_shard
        FROM below AS b WHERE l.shard = b.shard AND l.workspace = space AND l.id = b.id;
    END IF;
    INSERT INTO {schema}.links VALUES
        (was_shard, space, was, into_profile, into_shard, into_profile,
         head + CASE WHEN recorded THEN 2 ELSE 0 END, accepted, ids_was)
    ON CONFLICT (shard, workspace, id) DO UPDATE
    SET profile = excluded.profile, profile_shard = excluded.profile_shard,
        joined = excluded.joined, position = excluded.position, accepted_at = excluded.accepted_at;
END
$$;

-- The records of a profile are found by a hash of its id, and by which million of the log they stand in.
-- Postgres keeps equal keys once, so that a record takes some 10 to 30 bytes of the index instead of 75,
-- and what an append changes of it stays in memory much longer. To build it takes some seconds for a
-- million records, while nobody can append.
CREATE INDEX log_by_profile_hash ON {schema}.log (hashtextextended(profile, shard), (position >> 20));

DROP INDEX {schema}.log_by_profile;

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
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
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
        WHERE hashtextextended(l.profile, l.shard) = hashtextextended(link_id, link_shard)
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

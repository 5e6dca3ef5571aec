-- Links: which ids became part of which profile. Looked up and made under the lane's lock, so that
-- what is appended always stands under the profile that its id belongs to at that position.

-- An id that is not here stands for itself. `joined` is the profile that it became part of, for good,
-- and `profile` the one that this is part of by now. An id that names itself is a person of her own:
-- nobody's by an identify any more. `ids` counts, in the row of a profile that stands for itself, how
-- many ids stand for it. Everything is at a position: that of the record `joined`.
CREATE TABLE {schema}.links (
    shard         int    NOT NULL,
    workspace     text   NOT NULL,
    id            text   NOT NULL,
    profile       text   NOT NULL,
    profile_shard int    NOT NULL,
    joined        text   NOT NULL,
    position      bigint NOT NULL,
    accepted_at   bigint NOT NULL,
    ids           int    NOT NULL DEFAULT 1,
    PRIMARY KEY (shard, workspace, id)
);

CREATE INDEX links_joined ON {schema}.links (workspace, joined) WHERE id <> joined;

-- How many ids stand for another profile: while there are none, nothing is looked up.
ALTER TABLE {schema}.lane ADD COLUMN links bigint NOT NULL DEFAULT 0;

-- Whether the entry named its profile by an anonymous id. Null where a known one was named.
ALTER TABLE {schema}.log ADD COLUMN anonymous boolean;

-- A field of a message of protobuf: its tag, the length in one byte or two, and the content.
CREATE FUNCTION {schema}.log_field(tag bytea, content bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT tag || CASE
        WHEN length(content) < 128 THEN set_byte('\x00', 0, length(content))
        ELSE set_byte(set_byte('\x0000', 0, 128 + length(content) % 128), 1, length(content) / 128)
    END || content
$$;

-- The payload of a record that names another profile: `tag`, and in it the field 1.
CREATE FUNCTION {schema}.log_naming(tag bytea, profile text) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT {schema}.log_field(tag, {schema}.log_field('\x0a', convert_to(profile, 'UTF8')))
$$;

-- Finds the entries (by their places) whose ids stand for other profiles, and for which. The settings
-- keep the plan to look-ups in the index.
CREATE FUNCTION {schema}.log_moved(shards int[], workspaces text[], profiles text[])
RETURNS TABLE (place int, shard int, profile text)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    SELECT given.place::int, l.profile_shard, l.profile
    FROM unnest(shards, workspaces, profiles) WITH ORDINALITY
        AS given (shard, workspace, id, place)
    JOIN {schema}.links AS l
      ON l.shard = given.shard AND l.workspace = given.workspace AND l.id = given.id
    WHERE l.profile <> l.id;
END
$$;

-- Makes an id part of a profile. Answers what it was until then (the id, or the profile that it had
-- stood for), or null where nothing is to be done; `recorded` says whether anything is recorded of
-- that. The lane is locked by the caller, whose head is `head`; entries that it has in hand are told
-- by `in_hand` (how many there are of the id) and `in_hand_known` (whether a known person was named).
CREATE FUNCTION {schema}.log_join(
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
        WHERE l.shard = link_shard AND l.workspace = space AND l.profile = link_id
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

-- Appends entries as log_append does, each under the profile that its id stands for, and carries out
-- the links of those that have one (`link_places`, rising), each right before its entry. A link of
-- which something is recorded appends two records: `away` (with the profile that goes on) to the one
-- that ends, and `joined` (with the one that ends) to the one that goes on.
CREATE FUNCTION {schema}.log_append_linking(
    shards int[], workspaces text[], profiles text[], payloads bytea[], keys uuid[],
    anonymous boolean[], link_places int[], link_shards int[], link_ids text[], asked boolean[],
    away bytea, joined bytea, most_ids int, most_records int,
    OUT positions bigint[], OUT accepted bigint
)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    lane       {schema}.lane%ROWTYPE;
    moved      record;
    made       record;
    fresh      int[];
    place      int;
    next       int := 1;
    later      int;
    count      int := cardinality(payloads);
    in_hand    bigint;
    known      boolean;
    more       bigint[] := '{}';  -- the positions of what links append, and the rest of it
    more_shard int[] := '{}';
    more_space text[] := '{}';
    more_of    text[] := '{}';
    more_bytes bytea[] := '{}';
BEGIN
    SELECT * INTO lane FROM {schema}.lane FOR UPDATE;
    accepted := greatest({schema}.log_clock(), lane.accepted_at);
    positions := array_fill(0::bigint, ARRAY[count]);
    IF keys IS NULL THEN
        fresh := ARRAY(SELECT generate_series(1, count));
    ELSE
        IF accepted / 86400000 > lane.repeats_day THEN
            PERFORM {schema}.log_turn_repeats(accepted / 86400000);
        END IF;
        fresh := {schema}.log_fresh(keys);
        IF cardinality(fresh) = 0 THEN
            RETURN;
        END IF;
    END IF;
    IF lane.links > 0 THEN
        FOR moved IN SELECT * FROM {schema}.log_moved(shards, workspaces, profiles) LOOP
            shards[moved.place] := moved.shard;
            profiles[moved.place] := moved.profile;
        END LOOP;
    END IF;
    FOREACH place IN ARRAY fresh LOOP
        WHILE link_places[next] < place LOOP  -- those of repeats
            next := next + 1;
        END LOOP;
        IF link_places[next] = place THEN
            in_hand := 0;
            known := false;
            IF link_ids[next] = ANY (profiles[:place - 1]) THEN
                SELECT count(*), coalesce(bool_or(anonymous[p] IS NOT TRUE), false)
                INTO in_hand, known FROM generate_series(1, place - 1) AS p
                WHERE positions[p] > 0 AND profiles[p] = link_ids[next]
                  AND workspaces[p] = workspaces[place];
            END IF;
            SELECT * INTO made FROM {schema}.log_join(
                workspaces[place], shards[place], profiles[place],
                link_shards[next], link_ids[next], asked[next],
                in_hand, known, lane.head, accepted, most_ids, most_records);
            IF made.was IS NOT NULL THEN
                lane.links := lane.links + 1;
                IF made.recorded THEN
                    more := more || (lane.head + 1) || (lane.head + 2);
                    lane.head := lane.head + 2;
                    more_shard := more_shard || made.was_shard || shards[place];
                    more_space := more_space || workspaces[place] || workspaces[place];
                    more_of := more_of || made.was || profiles[place];
                    more_bytes := more_bytes
                        || {schema}.log_naming(away, profiles[place])
                        || {schema}.log_naming(joined, made.was);
                END IF;
                IF made.was = ANY (profiles[place + 1:]) THEN
                    FOR later IN place + 1 .. count LOOP
                        IF profiles[later] = made.was AND workspaces[later] = workspaces[place] THEN
                            profiles[later] := profiles[place];
                            shards[later] := shards[place];
                        END IF;
                    END LOOP;
                END IF;
            END IF;
        END IF;
        lane.head := lane.head + 1;
        positions[place] := lane.head;
    END LOOP;
    UPDATE {schema}.lane AS l SET head = lane.head, accepted_at = accepted, links = lane.links;
    IF lane.head > lane.partitioned_through - lane.partition_width THEN
        PERFORM {schema}.log_extend(lane.head);
    END IF;
    INSERT INTO {schema}.log (position, accepted_at, shard, workspace, profile, payload, anonymous)
    SELECT e.position, accepted, e.shard, e.workspace, e.profile, e.payload, e.anonymous
    FROM unnest(positions, shards, workspaces, profiles, payloads, anonymous)
        AS e (position, shard, workspace, profile, payload, anonymous)
    WHERE e.position > 0;
    IF cardinality(more) > 0 THEN
        INSERT INTO {schema}.log (position, accepted_at, shard, workspace, profile, payload, anonymous)
        SELECT e.position, accepted, e.shard, e.workspace, e.profile, e.payload, true
        FROM unnest(more, more_shard, more_space, more_of, more_bytes)
            AS e (position, shard, workspace, profile, payload);
    END IF;
    PERFORM pg_notify('{schema}_log', '');
END
$$;

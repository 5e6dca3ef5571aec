"""The SQL of the store. `{schema}` stands for the schema; arrays are one entry a row."""

# Reads profiles with what waits to be rebuilt of them.
LOAD_PROFILES = """
SELECT p.shard, p.workspace, p.profile, p.state, p.due_at, f.state
FROM unnest($1::int[], $2::text[], $3::text[]) AS k (shard, workspace, profile)
JOIN {schema}.profiles AS p USING (shard, workspace, profile)
LEFT JOIN {schema}.fills AS f USING (shard, workspace, profile)
"""

LOAD_REBUILDS = """
SELECT r.shard, r.workspace, r.profile, r.cause, r.fresh, r.position, r.through, r.with_flows
FROM unnest($1::int[], $2::text[], $3::text[]) AS k (shard, workspace, profile)
JOIN {schema}.rebuilds AS r USING (shard, workspace, profile)
ORDER BY r.position
"""

SAVE_PROFILES = """
INSERT INTO {schema}.profiles AS p (shard, workspace, profile, state, due_at)
SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::bytea[], $5::bigint[])
ON CONFLICT (shard, workspace, profile)
DO UPDATE SET state = excluded.state, due_at = excluded.due_at
"""

SAVE_MEMBERS = """
INSERT INTO {schema}.memberships AS m (shard, workspace, profile, segment, entered_at)
SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::bigint[])
ON CONFLICT (shard, workspace, segment, profile) DO UPDATE SET entered_at = excluded.entered_at
"""

END_MEMBERS = """
DELETE FROM {schema}.memberships AS m
USING unnest($1::int[], $2::text[], $3::text[], $4::text[])
    AS k (shard, workspace, profile, segment)
WHERE (m.shard, m.workspace, m.profile, m.segment)
    = (k.shard, k.workspace, k.profile, k.segment)
"""

TOUCH = """
INSERT INTO {schema}.rebuilds (shard, workspace, profile, cause, fresh)
SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::bool[])
ON CONFLICT DO NOTHING
"""

FINISH = """
UPDATE {schema}.rebuilds AS r
SET position = k.position, through = $4, with_flows = $5
FROM unnest($2::int[], $3::bigint[]) AS k (shard, position)
WHERE r.shard = k.shard AND r.workspace = $6 AND r.cause = $1 AND r.position IS NULL
"""

REBUILT = """
DELETE FROM {schema}.rebuilds AS r
USING unnest($1::int[], $2::text[], $3::text[], $4::text[])
    AS k (shard, workspace, profile, cause)
WHERE (r.shard, r.workspace, r.profile, r.cause)
    = (k.shard, k.workspace, k.profile, k.cause)
"""

# Stops at the limit, shard by shard, however many wait.
READY = """
SELECT f.* FROM unnest($1::int[]) AS s (shard) CROSS JOIN LATERAL (
    SELECT r.shard, r.workspace, r.profile, r.cause, r.fresh, r.position, r.through, r.with_flows
    FROM {schema}.rebuilds AS r
    WHERE r.shard = s.shard AND r.position IS NOT NULL AND r.cause <> 'fill'
    ORDER BY r.position LIMIT $2
) AS f
UNION ALL
SELECT f.* FROM unnest($1::int[]) AS s (shard) CROSS JOIN LATERAL (
    SELECT r.shard, r.workspace, r.profile, r.cause, r.fresh, r.position, r.through, r.with_flows
    FROM {schema}.rebuilds AS r
    WHERE r.shard = s.shard AND r.position IS NOT NULL AND r.cause = 'fill'
    ORDER BY r.position LIMIT $2
) AS f
LIMIT $2
"""

# Whatever was being filled in these shards is dropped.
DROP_FILLS = """
WITH waiting AS (
    DELETE FROM {schema}.rebuilds
    WHERE shard = ANY ($1::int[]) AND workspace = $2 AND cause = 'fill'
)
DELETE FROM {schema}.fills WHERE shard = ANY ($1::int[]) AND workspace = $2
"""

# Each profile is to be filled up to where its shard stands since the fence.
BEGIN_FILLS = """
INSERT INTO {schema}.rebuilds (shard, workspace, profile, cause, fresh, position)
SELECT p.shard, p.workspace, p.profile, 'fill', false, s.position
FROM {schema}.profiles AS p JOIN {schema}.shards AS s USING (shard)
WHERE p.shard = ANY ($1::int[]) AND p.workspace = $2
"""

SAVE_FILLS = """
INSERT INTO {schema}.fills AS f (shard, workspace, profile, state)
SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::bytea[])
ON CONFLICT (shard, workspace, profile) DO UPDATE SET state = excluded.state
"""

# The first profiles that were filled, shard by shard.
FILLED = """
SELECT shard, workspace, profile FROM {schema}.fills
WHERE shard = ANY ($1::int[]) AND workspace = $2
ORDER BY shard, workspace, profile LIMIT $3
"""

FILL_PROGRESS = """
SELECT (SELECT count(*) FROM {schema}.fills AS f WHERE workspace = $1 AND NOT EXISTS (
            SELECT FROM {schema}.rebuilds AS r
            WHERE (r.shard, r.workspace, r.profile) = (f.shard, f.workspace, f.profile)
                AND r.cause = 'fill')) AS filled,
       (SELECT count(*) FROM {schema}.rebuilds
        WHERE workspace = $1 AND cause = 'fill' AND position IS NOT NULL) AS waiting
"""

END_SEGMENT = """
DELETE FROM {schema}.memberships
WHERE shard = ANY ($1::int[]) AND workspace = $2 AND segment = $3
"""

DUE = """
SELECT shard, workspace, profile, due_at FROM {schema}.profiles
WHERE shard = ANY ($1::int[]) AND due_at < $2
ORDER BY due_at LIMIT $3
"""

# The subquery is one look into the index for each shard.
NEXT_DUE = """
SELECT s.shard, (
    SELECT min(p.due_at) FROM {schema}.profiles AS p
    WHERE p.shard = s.shard AND p.due_at IS NOT NULL
) AS due_at
FROM unnest($1::int[]) AS s (shard)
"""

TIMERS = """
SELECT shard, workspace, profile, due_at FROM {schema}.profiles
WHERE shard = $1 AND due_at < $2 AND (due_at, workspace, profile) > ($3, $4, $5)
ORDER BY due_at, workspace, profile LIMIT $6
"""

MEMBERS = """
SELECT profile, entered_at FROM {schema}.memberships
WHERE workspace = $1 AND segment = $2 AND profile > $3
ORDER BY profile LIMIT $4
"""

# All that is kept of profiles that are deleted, table by table; and, but for memberships, of those
# that became part of others.
DEPART = {
    name: f"""
DELETE FROM {{schema}}.{table} AS t
USING unnest($1::int[], $2::text[], $3::text[]) AS k (shard, workspace, profile)
WHERE (t.shard, t.workspace, t.profile) = (k.shard, k.workspace, k.profile)
RETURNING t.shard, t.workspace, t.profile
"""
    for name, table in (
        ("states", "profiles"),
        ("memberships", "memberships"),
        ("fills", "fills"),
        ("rebuilds", "rebuilds"),
        ("quarantine", "quarantine"),
    )
}

STANDING = """
SELECT segment, entered_at FROM {schema}.memberships
WHERE (shard, workspace, profile) = ($1, $2, $3)
"""

COUNT = """
SELECT segment, count(*) AS members FROM {schema}.memberships
WHERE workspace = $1 GROUP BY segment
"""

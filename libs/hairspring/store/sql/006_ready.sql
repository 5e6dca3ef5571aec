-- Imports come before what is filled; without this, all that waits to be filled would be gone
-- through to find that there are none.
CREATE INDEX rebuilds_of_imports ON {schema}.rebuilds (shard, position)
    WHERE position IS NOT NULL AND cause <> 'fill';

"""The profiles that the evaluator knows, page by page."""

from collections.abc import AsyncIterator

import asyncpg
from hairspring.database.migrations import check_schema_name

_PAGE = """/* list_profiles */
SELECT shard, profile FROM {schema}.profiles
WHERE (shard, workspace, profile) > ($1, $2, $3) AND workspace = $2
ORDER BY shard, workspace, profile LIMIT $4
"""


class Profiles:
    """Lists profiles by shard, so that the histories of a page lie near each other."""

    def __init__(self, pool: asyncpg.Pool, schema: str) -> None:
        self._pool = pool
        self._schema = check_schema_name(schema)

    async def count(self, workspace: str) -> int:
        """Counts them."""
        sql = f"SELECT count(*) FROM {self._schema}.profiles WHERE workspace = $1"
        return int(await self._pool.fetchval(sql, workspace))

    async def pages(self, workspace: str, size: int) -> AsyncIterator[list[str]]:
        """Gives all of them, at most `size` at a time."""
        shard, after = -1, ""
        while True:
            rows = await self._pool.fetch(
                _PAGE.replace("{schema}", self._schema), shard, workspace, after, size
            )
            if rows:
                yield [row["profile"] for row in rows]
            if len(rows) < size:
                return
            shard, after = rows[-1]["shard"], rows[-1]["profile"]

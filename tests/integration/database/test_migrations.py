"""Migrations are applied once, in order, whoever starts first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from hairspring.database.migrations import MigrationError, Migrations, migrate
from hairspring.database.pool import open_pool


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool on a database of its own."""
    async with open_pool(database_url, name="trial") as opened:
        yield opened


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two migrations in a folder."""
    (tmp_path / "001_shelf.sql").write_text(
        "CREATE TABLE {schema}.shelf (n int); INSERT INTO {schema}.shelf VALUES (1);"
    )
    (tmp_path / "002_more.sql").write_text("INSERT INTO {schema}.shelf VALUES (2);")
    (tmp_path / "notes.txt").write_text("not a migration")
    return tmp_path


async def shelf(pool: asyncpg.Pool, schema: str = "shop") -> list[int]:
    """What the migrations put into their table."""
    return [row["n"] for row in await pool.fetch(f"SELECT n FROM {schema}.shelf ORDER BY n")]


async def test_each_file_is_applied_once_and_in_order(pool: asyncpg.Pool, files: Path) -> None:
    """A second run does nothing, a new file is applied alone."""
    source = Migrations(source="shelf", directory=files)
    assert await migrate(pool, "shop", source) == ["001_shelf.sql", "002_more.sql"]
    assert await migrate(pool, "shop", source) == []
    (files / "003_last.sql").write_text("INSERT INTO {schema}.shelf VALUES (3);")
    assert await migrate(pool, "shop", source) == ["003_last.sql"]
    assert await shelf(pool) == [1, 2, 3]


async def test_schemas_and_sources_are_kept_apart(
    pool: asyncpg.Pool, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same files go into two schemas, and another source has numbers of its own."""
    other = tmp_path_factory.mktemp("other")
    (other / "001_shelf.sql").write_text("INSERT INTO {schema}.shelf VALUES (10);")
    sources = [
        Migrations(source="shelf", directory=files),
        Migrations(source="other", directory=other),
    ]
    await migrate(pool, "shop", *sources)
    await migrate(pool, "store", *sources)
    assert await shelf(pool, "shop") == await shelf(pool, "store") == [1, 2, 10]


async def test_replicas_that_start_together_wait_for_each_other(
    pool: asyncpg.Pool, files: Path
) -> None:
    """Of many, one applies the files and the others find them applied."""
    source = Migrations(source="shelf", directory=files)
    applied = await asyncio.gather(*(migrate(pool, "shop", source) for _ in range(8)))
    assert sorted(map(len, applied)) == [0] * 7 + [2]
    assert await shelf(pool) == [1, 2]


async def test_a_file_that_fails_leaves_nothing(pool: asyncpg.Pool, files: Path) -> None:
    """All or nothing: the next run begins from where the last good one ended."""
    source = Migrations(source="shelf", directory=files)
    (files / "003_bad.sql").write_text("INSERT INTO {schema}.shelf VALUES ('three');")
    with pytest.raises(asyncpg.PostgresError):
        await migrate(pool, "shop", source)
    assert await pool.fetchval("SELECT to_regclass('shop.shelf')") is None
    (files / "003_bad.sql").unlink()
    assert len(await migrate(pool, "shop", source)) == 2


async def test_a_file_that_was_changed_is_refused(pool: asyncpg.Pool, files: Path) -> None:
    """What was applied is history."""
    source = Migrations(source="shelf", directory=files)
    await migrate(pool, "shop", source)
    (files / "002_more.sql").write_text("INSERT INTO {schema}.shelf VALUES (22);")
    with pytest.raises(MigrationError, match=r"shelf/002_more\.sql was changed"):
        await migrate(pool, "shop", source)


async def test_numbers_have_no_holes(pool: asyncpg.Pool, files: Path) -> None:
    """A number that is missing, or there twice, is a mistake."""
    (files / "002_more.sql").rename(files / "003_more.sql")
    with pytest.raises(MigrationError, match="not numbered"):
        await migrate(pool, "shop", Migrations(source="shelf", directory=files))


@pytest.mark.parametrize("name", ["", "Shop", "shop; DROP", 'a"b', "1shop", "a" * 60])
async def test_a_schema_has_a_plain_name(pool: asyncpg.Pool, files: Path, name: str) -> None:
    """Names go into SQL as they are, so they must be plain."""
    with pytest.raises(ValueError, match="schema"):
        await migrate(pool, name, Migrations(source="shelf", directory=files))

"""Histories over many millions of positions, and what Postgres reads for them."""

from __future__ import annotations

from hairspring.log.port import Record

from tests.contract.log.log_contract import entry
from tests.contract.log.opened import SCHEMA, OpenedLog

MILLION = 1 << 20


async def test_pages_go_on_over_millions(opened: OpenedLog) -> None:
    """However records lie in the log, pages of every size give each once, in its order."""
    expected = []
    for begin in (0, MILLION - 9, 3 * MILLION - 2, 5 * MILLION, 7_000_000):
        await opened.pool.execute(f"UPDATE {SCHEMA}.lane SET head = $1", begin)
        done = await opened.log.append([entry("other"), *[entry("a")] * 17, entry("other")])
        expected += [one.position for one in done[1:-1]]

    for limit in (1, 4, 17, 100):
        found: list[int] = []
        while page := await _page(opened, found[-1] if found else 0, limit):
            assert len(page) == limit or len(found) + len(page) == len(expected)
            found += [record.position for record in page]
        assert found == expected


async def test_a_page_ends_where_it_was_told_to(opened: OpenedLog) -> None:
    """Records behind `through` are not given, also where a page would have had room for them."""
    done = await opened.log.append([entry("a") for _ in range(10)])
    last = done[6].position

    assert [one.position for one in await _page(opened, 3, 100, last)] == [4, 5, 6, 7]
    assert await _page(opened, last, 100, last) == []


async def test_only_its_own_records_are_read(opened: OpenedLog) -> None:
    """A history reads no records but its own, also while Postgres has no statistics yet."""
    for number in range(25):
        many = [entry(f"p{number}-{n}", payload=bytes(300)) for n in range(4_000)]
        await opened.log.append(many)
    await opened.log.append([entry("a")] * 3)
    before = await _looked_at(opened)

    assert len(await _page(opened, 0, 100)) == 3
    assert len(await _page(opened, 1, 100)) == 3

    assert await _looked_at(opened) - before <= 20


async def test_what_is_read_grows_with_what_is_given(opened: OpenedLog) -> None:
    """To read a long history in pages does not read it anew for each of them."""
    for number in range(16):
        await opened.pool.execute(
            f"UPDATE {SCHEMA}.lane SET head = $1 WHERE head < $1", number * MILLION
        )
        await opened.log.append([entry("a")] * 250 + [entry(f"p{number}")] * 250)
    before, after, given = await _looked_at(opened), 0, 0

    while page := await _page(opened, after, 250):
        after, given = page[-1].position, given + len(page)

    assert given == 4_000
    assert await _looked_at(opened) - before < 5 * given


async def _page(
    opened: OpenedLog, after: int, limit: int, through: int | None = None
) -> list[Record]:
    return await opened.log.history(
        "default", ["a"], [1], after=after, limit=limit, through=through
    )


async def _looked_at(opened: OpenedLog) -> int:
    """How many entries of indexes and rows of tables of the log this connection has read."""
    async with opened.pool.acquire() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        indexes = await connection.fetchval(
            "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname LIKE 'log_0%'"
        )
        tables = await connection.fetchval(
            "SELECT sum(seq_tup_read)::bigint FROM pg_stat_user_tables WHERE relname LIKE 'log_0%'"
        )
        return int(indexes + tables)

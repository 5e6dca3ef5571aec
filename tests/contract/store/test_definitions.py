"""What every store of definitions does, in memory and in Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hairspring.database.migrations import migrate
from hairspring.database.pool import open_pool
from hairspring.log import postgres as log_postgres
from hairspring.ownership import postgres as ownership_postgres
from hairspring.ownership.memory import MemoryShards
from hairspring.ownership.postgres import install_shards
from hairspring.store import postgres as store_postgres
from hairspring.store.definitions import DefinitionStore, PlanMoved, StoredDefinition
from hairspring.store.memory_definitions import MemoryDefinitions

from tests.support.cluster import now


def form(name: str, body: str = "{}", kind: str = "segment", **more: bool) -> StoredDefinition:
    """A definition to be applied."""
    return StoredDefinition(
        kind=kind, name=name, version=0, body=body.encode(), source=f"name: {name}", **more
    )


@asynccontextmanager
async def _in_postgres(url: str) -> AsyncIterator[DefinitionStore]:
    async with open_pool(url, name="trial") as pool:
        await migrate(
            pool,
            "trial",
            log_postgres.MIGRATIONS,
            ownership_postgres.MIGRATIONS,
            store_postgres.MIGRATIONS,
        )
        await install_shards(pool, "trial", 4)
        yield DefinitionStore(pool, "trial")


@pytest.fixture(params=["memory", "postgres"])
async def definitions(
    request: pytest.FixtureRequest, database_url: str
) -> AsyncIterator[DefinitionStore]:
    """An empty store beside four shards that judge by no plan yet."""
    if request.param == "memory":
        shards = MemoryShards(4, now)
        yield MemoryDefinitions(lambda: shards.rows)
        return
    async with _in_postgres(database_url) as opened:
        yield opened


async def test_nothing_was_ever_applied(definitions: DefinitionStore) -> None:
    """An empty store is at version 0 in no workspace."""
    assert await definitions.latest() == 0
    assert await definitions.workspaces() == []
    assert await definitions.in_force("default", 0) == []
    assert await definitions.version_at(2_000) == 0
    assert await definitions.waiting_shards(1) == [0, 1, 2, 3]
    assert await definitions.waiting_shards(0) == []


async def test_each_version_has_its_forms(definitions: DefinitionStore) -> None:
    """A later form replaces an earlier one from its version on, and a removal ends it."""
    one = [form("b", "1"), form("a", "2"), form("a", "3", kind="flow")]
    assert await definitions.apply("default", one, after=0, now=1_000) == 1
    assert await definitions.apply("other", [form("a", "9")], after=1, now=2_000) == 2
    assert await definitions.apply("default", [form("a", "4")], after=2, now=3_000) == 3
    assert await definitions.apply("default", [form("a", removed=True)], after=3, now=4_000) == 4

    in_force = {
        version: [(d.kind, d.name, d.version, d.body) for d in found]
        for version in (1, 3, 4)
        for found in [await definitions.in_force("default", version)]
    }
    flow, b = ("flow", "a", 1, b"3"), ("segment", "b", 1, b"1")
    assert in_force == {
        1: [flow, ("segment", "a", 1, b"2"), b],
        3: [flow, ("segment", "a", 3, b"4"), b],
        4: [flow, b],
    }
    assert await definitions.workspaces() == ["default", "other"]
    forms = await definitions.forms("default", "segment", "a", version=4, limit=2)
    assert [(d.version, d.removed, d.applied_at) for d in forms] == [
        (4, True, 4_000),
        (3, False, 3_000),
    ]
    assert [await definitions.version_at(at) for at in (999, 1_000, 3_500, 9_000)] == [0, 1, 3, 4]


async def test_who_knows_an_older_version_is_told(definitions: DefinitionStore) -> None:
    """Of two who apply at once the second has to look again, and nothing of it is written."""
    await definitions.apply("default", [form("a")], after=0, now=1_000)
    with pytest.raises(PlanMoved):
        await definitions.apply("default", [form("b")], after=0, now=2_000)
    assert await definitions.latest() == 1
    assert [d.name for d in await definitions.in_force("default", 1)] == ["a"]


async def test_a_named_request_is_remembered(definitions: DefinitionStore) -> None:
    """A request that has a name is found under it with the version that it brought."""
    await definitions.apply("default", [form("a")], after=0, now=1_000, request_id="r")
    assert await definitions.requested("default", "r") == 1
    assert await definitions.requested("other", "r") is None
    assert await definitions.requested("default", "s") is None


async def test_what_was_filled_is_put_in_force_by_a_version(definitions: DefinitionStore) -> None:
    """An activation is a version without forms; what changed and what was removed is told apart."""
    await definitions.apply("default", [form("a"), form("b")], after=0, now=1_000)
    assert await definitions.activate("default", after=1, now=2_000) == 2
    with pytest.raises(PlanMoved):
        await definitions.activate("default", after=1, now=2_500)
    flow = [form("f", kind="flow")]
    await definitions.apply("default", flow, after=2, now=3_000, with_flows=True)
    await definitions.apply("default", [form("a", removed=True)], after=3, now=4_000)

    assert [await definitions.activation(version) for version in (1, 2, 3, 9)] == [
        None,
        ("default", 2_000),
        None,
        None,
    ]
    assert [await definitions.activated("default", version) for version in (1, 2, 4)] == [0, 2, 2]
    assert await definitions.activated("other", 4) == 0
    changed = await definitions.changed("default", "segment")
    assert [(one.version, one.applied_at) for one in changed] == [
        (1, 1_000),
        (2, 2_000),
        (4, 4_000),
    ]
    assert await definitions.removed("default", "segment", 0, 4) == {"a"}
    assert await definitions.removed("default", "segment", 0, 3) == set()
    assert await definitions.removed("default", "segment", 4, 9) == set()
    [written] = [d for d in await definitions.in_force("default", 4) if d.kind == "flow"]
    assert written.with_flows

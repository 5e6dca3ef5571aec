"""What every store does, in memory and in Postgres."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hairspring.engine.state import ProfileState, SegmentState
from hairspring.engine.streams import Run
from hairspring.log.port import Entry, Log
from hairspring.ownership.port import Fenced, Owned
from hairspring.store.encoding import encode
from hairspring.store.memory import MemoryStore
from hairspring.store.port import (
    FILL,
    Adoption,
    Departure,
    Effects,
    Filled,
    Finish,
    Key,
    Member,
    Page,
    Progress,
    Rebuild,
    Saved,
    SegmentStore,
)
from hairspring.store.postgres import PostgresStore
from hairspring.store.quarantine import Mark, SetAside, What

ANNA = Key(1, "default", "anna")
BEA = Key(2, "default", "bea")

STATE = ProfileState(
    clock=1_000,
    born_at=400,
    streams={"abc": Run([400, 900, 1_000], [7, 5, 9])},
    segments={"s": SegmentState(member=True, entered_at=900, enter_held=True, until=2_000)},
    traits={"name": (400, 3, "Anna"), "gone": (500, 4, None)},
)


Kept = tuple[SegmentStore, dict[int, Owned], Log]


async def test_a_commit_is_read_back_whole(kept: Kept) -> None:
    """States, due times, memberships and records come back as they were committed."""
    store, owned, log = kept
    await store.commit(
        Effects(
            owned={1: owned[1], 2: owned[2]},
            position=12,
            states=[Saved(ANNA, encode(STATE), 2_000), Saved(BEA, encode(ProfileState()), None)],
            members=[Member(ANNA, "s", 900)],
            records=[Entry(shard=1, workspace="default", profile="anna", payload=b"told")],
        )
    )
    loaded = await store.load([ANNA, BEA, Key(3, "default", "nobody")])
    assert encode(loaded[ANNA].state) == encode(STATE)
    assert loaded[ANNA].state.streams["abc"].orders == [7, 5, 9]
    assert [found.due_at for found in loaded.values()] == [2_000, None, None]
    assert await store.members("default", "s", "", 10) == [Page("anna", 900)]
    assert await store.count("default") == {"s": 1}
    assert [record.payload for record in await log.read(0, 10)] == [b"told"]


async def test_a_fenced_commit_writes_nothing(kept: Kept) -> None:
    """Whoever commits under an old epoch is refused, and nothing of it is there."""
    store, owned, log = kept
    old = replace(owned[1], epoch=owned[1].epoch - 1)
    with pytest.raises(Fenced):
        await store.commit(
            Effects(
                owned={1: old},
                position=1,
                states=[Saved(ANNA, encode(STATE), 2_000)],
                records=[Entry(shard=1, workspace="default", profile="anna", payload=b"told")],
            )
        )
    assert (await store.load([ANNA]))[ANNA].state.clock is None
    assert await log.head() == 0


async def test_the_last_word_on_a_membership_counts(kept: Kept) -> None:
    """Entering and leaving in one commit leaves nobody inside."""
    store, owned, _ = kept
    members = [Member(ANNA, "s", 900), Member(ANNA, "s", None), Member(ANNA, "t", 950)]
    await store.commit(Effects(owned={1: owned[1]}, position=1, members=members))
    assert await store.count("default") == {"t": 1}
    await store.commit(Effects(owned={1: owned[1]}, position=2, members=[Member(ANNA, "t", None)]))
    assert await store.count("default") == {}


async def test_due_profiles_are_found_in_order(kept: Kept) -> None:
    """The sweep finds what is due before a moment; pages come by due time, then by profile."""
    store, owned, _ = kept
    states = [
        Saved(ANNA, encode(STATE), 300),
        Saved(BEA, encode(STATE), 100),
        Saved(Key(1, "default", "zoe"), encode(STATE), 200),
    ]
    await store.commit(Effects(owned=owned, position=1, states=states))
    assert await store.due([1, 2], 300, 10) == [(BEA, 100), (Key(1, "default", "zoe"), 200)]
    zoe, ben = Key(1, "default", "zoe"), Key(1, "default", "ben")
    await store.commit(Effects(owned=owned, position=2, states=[Saved(ben, encode(STATE), 200)]))
    assert await store.timers(1, (0, None), 301, 2) == [(ben, 200), (zoe, 200)]
    assert await store.timers(1, (200, ben), 301, 9) == [(zoe, 200), (ANNA, 300)]
    assert await store.timers(1, (200, None), 300, 9) == [(ben, 200), (zoe, 200)]
    assert await store.timers(1, (201, None), 300, 9) == []


async def test_imports_are_rebuilt_once_they_have_finished(kept: Kept) -> None:
    """Touched profiles wait until the import ends in their shard, and go once they are done."""
    store, owned, _ = kept
    touched = [Rebuild(key=ANNA, cause="i", fresh=True), Rebuild(key=BEA, cause="i")]
    await store.commit(Effects(owned=owned, position=1, touched=touched))
    again = [Rebuild(key=ANNA, cause="i", fresh=False)]
    await store.commit(Effects(owned=owned, position=2, touched=again))
    assert await store.ready([1, 2], 10) == []
    other = Finish(
        workspace="other", cause="i", positions={1: 8, 2: 9}, through=5_000, with_flows=False
    )
    await store.commit(Effects(owned=owned, position=9, finishes=[other]))
    assert await store.ready([1, 2], 10) == []
    finish = Finish(
        workspace="default", cause="i", positions={1: 8, 2: 9}, through=5_000, with_flows=True
    )
    await store.commit(Effects(owned=owned, position=9, finishes=[finish]))
    ready = await store.ready([1, 2], 10)
    assert ready == [
        Rebuild(key=ANNA, cause="i", fresh=True, position=8, through=5_000, with_flows=True),
        Rebuild(key=BEA, cause="i", position=9, through=5_000, with_flows=True),
    ]
    assert (await store.load([ANNA]))[ANNA].rebuilds == ready[:1]
    await store.commit(Effects(owned=owned, position=10, rebuilt=ready))
    assert await store.ready([1, 2], 10) == []


async def test_an_adoption_has_everybody_filled(kept: Kept) -> None:
    """Whoever is known waits to be filled up to where the shard stands; what is gone ends."""
    store, owned, _ = kept
    await store.commit(
        Effects(
            owned=owned,
            position=3,
            states=[Saved(ANNA, encode(STATE), None)],
            members=[Member(ANNA, "old", 1), Member(ANNA, "s", 1)],
        )
    )
    adoption = Adoption(version=4, fill=["default"], removed=[("default", "old")])
    await store.commit(Effects(owned=owned, position=3, adoption=adoption))
    assert await store.ready([1], 10) == [Rebuild(key=ANNA, cause=FILL, position=3)]
    assert await store.progress("default") == Progress(filled=0, waiting=1)
    assert await store.count("default") == {"s": 1}


async def test_what_is_filled_stands_beside_the_state(kept: Kept) -> None:
    """The state of what is being filled is kept and listed, until it is dropped."""
    store, owned, _ = kept
    filled = replace(STATE, segments={"s@4": SegmentState(member=True, entered_at=5)})
    await store.commit(
        Effects(
            owned=owned,
            position=3,
            states=[Saved(ANNA, encode(STATE), None), Saved(BEA, encode(STATE), None)],
            adoption=Adoption(version=4),
        )
    )
    begun = Adoption(version=5, fill=["default"])
    await store.commit(Effects(owned=owned, position=3, adoption=begun))
    [todo, _] = await store.ready([1, 2], 10)
    fills = [Filled(ANNA, encode(filled))]
    await store.commit(Effects(owned=owned, position=3, fills=fills, rebuilt=[todo]))
    loaded = await store.load([ANNA, BEA])
    assert (loaded[ANNA].state, loaded[ANNA].fill) == (STATE, filled)
    assert loaded[BEA].fill is None
    assert await store.progress("default") == Progress(filled=1, waiting=1)
    assert await store.filled([1, 2], "default", 10) == [ANNA]
    dropped = Adoption(version=6, drop=["default"])
    await store.commit(Effects(owned=owned, position=3, adoption=dropped))
    assert await store.progress("default") == Progress(filled=0, waiting=0)
    assert (await store.load([ANNA]))[ANNA].fill is None


async def test_imports_go_before_what_is_filled(kept: Kept) -> None:
    """A rebuild for an import is done first, though what is filled has waited longer."""
    store, owned, _ = kept
    await store.commit(Effects(owned=owned, position=1, states=[Saved(ANNA, encode(STATE), None)]))
    begun = Adoption(version=5, fill=["default"])
    await store.commit(Effects(owned=owned, position=2, adoption=begun))
    touched = [Rebuild(key=BEA, cause="i")]
    finish = Finish(
        workspace="default", cause="i", positions={2: 8}, through=5_000, with_flows=False
    )
    await store.commit(Effects(owned=owned, position=8, touched=touched, finishes=[finish]))
    assert [todo.cause for todo in await store.ready([1, 2], 10)] == ["i", FILL]


async def test_all_that_is_kept_of_a_deleted_profile_goes(kept: Kept) -> None:
    """State, timer, memberships, fills, rebuilds and old records; what is new stays, and others."""
    store, owned, log = kept
    told = [Entry(shard=1, workspace="default", profile="anna", payload=b"left")]
    old = Entry(shard=1, workspace="default", profile="anna", payload=b"entered")
    await store.commit(
        Effects(
            owned={1: owned[1], 2: owned[2]},
            position=5,
            states=[Saved(ANNA, encode(STATE), 2_000), Saved(BEA, encode(STATE), 2_000)],
            fills=[Filled(ANNA, encode(STATE))],
            members=[Member(ANNA, "s", 900), Member(BEA, "s", 900)],
            touched=[Rebuild(key=ANNA, cause="import")],
            records=[old, Entry(shard=2, workspace="default", profile="bea", payload=b"entered")],
        )
    )
    fresh = ProfileState(clock=7_000)
    await store.commit(
        Effects(
            owned={1: owned[1]},
            position=9,
            departures=[Departure(key=ANNA, deletion_id="d1", at=6_000, told=told)],
            states=[Saved(ANNA, encode(fresh), None)],
            records=[*told, Entry(shard=1, workspace="default", profile="anna", payload=b"new")],
        )
    )
    if isinstance(store, PostgresStore):
        while await store.deletions.step():
            pass

    loaded = await store.load([ANNA, BEA])
    assert (encode(loaded[ANNA].state), loaded[ANNA].due_at) == (encode(fresh), None)
    assert (loaded[ANNA].fill, loaded[ANNA].rebuilds) == (None, [])
    assert loaded[BEA].due_at == 2_000
    assert await store.members("default", "s", "", 10) == [Page("bea", 900)]
    payloads = [record.payload for record in await log.read(0, 10)]
    assert payloads == [b"", b"entered", b"left", b"new"]
    assert isinstance(store, MemoryStore | PostgresStore)
    if isinstance(store, MemoryStore):
        noted = store.deletions["default", "d1"]
    else:
        [noted] = await store.deletions.all_of("default", ["d1"])
    assert (noted.first_position, noted.position, noted.deleted_at) == (3, 3, 6_000)
    assert noted.erased == {
        "states": 1, "memberships": 1, "fills": 1, "rebuilds": 1, "quarantine": 0
    }  # fmt: skip


async def test_of_a_profile_that_is_gone_nothing_is_kept(kept: Kept) -> None:
    """Its state, its timer, what waits of it and what is set aside go in one commit."""
    store, owned, _ = kept
    both = {1: owned[1], 2: owned[2]}
    await store.commit(
        Effects(
            owned=both,
            position=3,
            states=[Saved(ANNA, encode(STATE), 2_000), Saved(BEA, encode(STATE), 2_000)],
            fills=[Filled(ANNA, encode(STATE)), Filled(BEA, encode(STATE))],
            members=[Member(ANNA, "s", 900), Member(BEA, "s", 900)],
            touched=[Rebuild(key=ANNA, cause="i"), Rebuild(key=BEA, cause="i")],
        )
    )
    aside = SetAside(
        key=ANNA,
        position=4,
        what=What.EVENT,
        holds=False,
        plan_version=1,
        error_type="OverflowError",
        error_message="too large",
        traceback="...",
        tries=3,
        failed_at=1_000,
    )
    others = replace(aside, key=BEA)
    await store.commit(Effects(owned=both, position=4, set_aside=[aside, others]))
    await store.commit(
        Effects(owned=both, position=5, members=[Member(ANNA, "s", None)], gone=[ANNA])
    )
    found = await store.load([ANNA, BEA])
    assert found[ANNA].state.clock is None
    assert (found[ANNA].due_at, found[ANNA].rebuilds, found[ANNA].fill) == (None, [], None)
    assert found[BEA].state.clock == 1_000
    assert [key.profile for key, _ in await store.due([1, 2], 9_000, 10)] == ["bea"]
    assert await store.members("default", "s", "", 10) == [Page("bea", 900)]
    assert await store.marks([1, 2]) == {BEA: Mark(False, 1)}

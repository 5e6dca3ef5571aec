"""What every store does with what is set aside."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hairspring.engine.state import ProfileState
from hairspring.log.port import Log
from hairspring.ownership.port import Fenced, Owned
from hairspring.store.encoding import encode
from hairspring.store.port import Effects, Finish, Key, Member, Rebuild, Saved, SegmentStore
from hairspring.store.quarantine import InVain, Mark, Retry, SetAside, What

ANNA = Key(1, "default", "anna")
BEA = Key(2, "default", "bea")
EVENT = SetAside(
    key=ANNA,
    position=7,
    what=What.EVENT,
    holds=False,
    message_id="m7",
    event_name="Product Added",
    plan_version=3,
    error_type="OverflowError",
    error_message="too large",
    traceback="...",
    tries=3,
    failed_at=1_000,
)
ALARM = replace(
    EVENT, key=BEA, what=What.ALARM, holds=True, message_id="", event_name="", retry_at=6_000
)

Kept = tuple[SegmentStore, dict[int, Owned], Log]


async def _set_aside(kept: Kept, *entries: SetAside) -> None:
    store, owned, _ = kept
    shards = {shard: owned[shard] for shard in {one.key.shard for one in entries}}
    await store.commit(Effects(owned=shards, position=9, set_aside=list(entries)))


async def test_what_is_set_aside_is_read_back(kept: Kept) -> None:
    """Entries are listed page by page, and each profile bears a mark."""
    store, _, _ = kept
    later = replace(EVENT, position=8)
    await _set_aside(kept, EVENT, later, ALARM)
    assert await store.quarantine("default", None, ("", -1, ""), 10) == [EVENT, later, ALARM]
    assert await store.quarantine("default", None, ("anna", 7, "event"), 1) == [later]
    assert await store.quarantine("default", "bea", ("", -1, ""), 10) == [ALARM]
    assert await store.quarantine("other", None, ("", -1, ""), 10) == []
    assert await store.want_retry("other", None, with_flows=False) == []
    assert await store.marks([1, 2, 3]) == {ANNA: Mark(False, 2), BEA: Mark(True, 1)}
    assert await store.marks([1]) == {ANNA: Mark(False, 2)}


async def test_a_fenced_commit_sets_nothing_aside(kept: Kept) -> None:
    """Only the owner of a shard says what is set aside of it."""
    store, owned, _ = kept
    old = replace(owned[1], epoch=owned[1].epoch - 1)
    with pytest.raises(Fenced):
        await store.commit(Effects(owned={1: old}, position=1, set_aside=[EVENT]))
    assert await store.marks([1]) == {}


async def test_a_profile_that_is_held_rings_no_more(kept: Kept) -> None:
    """Its timer ends, and so do the rebuilds that could be done; unfinished imports go on."""
    store, owned, _ = kept
    rebuilds = [Rebuild(key=BEA, cause="done"), Rebuild(key=BEA, cause="unfinished")]
    await store.commit(
        Effects(
            owned={2: owned[2]},
            position=3,
            states=[Saved(BEA, encode(ProfileState()), 500)],
            touched=rebuilds,
            finishes=[
                Finish(
                    workspace="default", cause="done", positions={2: 3}, through=9, with_flows=False
                )
            ],
        )
    )
    assert [one.cause for one in await store.ready([2], 10)] == ["done"]
    await _set_aside(kept, ALARM)
    assert await store.due([2], 10_000, 10) == []
    assert await store.ready([2], 10) == []
    assert [one.cause for one in (await store.load([BEA]))[BEA].rebuilds] == ["unfinished"]


async def test_retries_come_when_due_or_asked_for(kept: Kept) -> None:
    """What holds a profile is tried again by itself, an event only when somebody asks."""
    store, owned, _ = kept
    await _set_aside(kept, EVENT, ALARM)
    assert await store.retries([1, 2], 5_999, 10) == []
    assert await store.retries([1, 2], 6_000, 10) == [Retry(BEA, 0, False)]
    asked = await store.want_retry("default", ["anna", "nobody"], with_flows=True)
    assert asked == [Retry(ANNA, 0, True)]
    assert await store.retries([1, 2], 0, 10) == [Retry(ANNA, 0, True)]
    tried = InVain(key=ANNA, at=7_000, error="OverflowError: again", retry_at=None)
    await store.commit(Effects(owned={1: owned[1]}, position=9, in_vain=[tried]))
    assert await store.retries([1, 2], 0, 10) == []
    [entry] = await store.quarantine("default", "anna", ("", -1, ""), 10)
    assert (entry.retries, entry.retried_at, entry.retry_error) == (1, 7_000, tried.error)
    assert len(await store.want_retry("default", None, with_flows=False)) == 2


async def test_what_is_released_is_gone(kept: Kept) -> None:
    """Nothing is left of it."""
    store, owned, _ = kept
    await _set_aside(kept, EVENT, replace(EVENT, position=8))
    await store.commit(Effects(owned={1: owned[1]}, position=9, released=[ANNA]))
    assert await store.quarantine("default", None, ("", -1, ""), 10) == []
    assert await store.marks([1]) == {}


async def test_the_standing_of_a_profile_is_what_was_told(kept: Kept) -> None:
    """The memberships of one profile are read by themselves."""
    store, owned, _ = kept
    members = [Member(ANNA, "s", 900), Member(ANNA, "t", 950), Member(BEA, "s", 1)]
    await store.commit(Effects(owned={1: owned[1], 2: owned[2]}, position=1, members=members))
    assert await store.standing(ANNA) == {"s": 900, "t": 950}

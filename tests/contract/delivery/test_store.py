"""What the tables of delivery promise, in memory and in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import asyncpg
import pytest
from hairspring.ownership.port import Fenced
from hairspring.services.delivery import flows
from hairspring.services.delivery.adapters.memory import NotUnique
from hairspring.services.delivery.departing import Departure, Noted
from hairspring.services.delivery.messages import Message, MessageStatus, message_of
from hairspring.services.delivery.runs import SEGMENT_LEFT, Run
from hairspring.services.delivery.waits import wake_of
from hairspring.wire.flows import Send

from tests.contract.delivery.conftest import SHARDS, Kept
from tests.unit.delivery.making import HOUR, NOW, a_flow, a_run, an_entry

ADA, BO = (3, "default", "ada"), (3, "default", "bo")


def _run(profile: str = "ada", position: int = 7, flow: str = "recovery", **changes: object) -> Run:
    run = flows.start(a_flow(name=flow), an_entry(position=position, profile=profile), None)
    return replace(run, **changes)  # type: ignore[arg-type]


def _message(run: Run, status: MessageStatus = MessageStatus.PENDING, step: int = 1) -> Message:
    made = message_of(replace(run, step=step), Send(template="plain"))
    return replace(made, status=status)


async def _save(kept: Kept, runs: Sequence[Run] = (), messages: Sequence[Message] = ()) -> None:
    async with kept.ledger.effect({3}) as connection:
        await kept.store.save_runs(connection, runs)
        await kept.store.save_messages(connection, messages)


async def _fail_amid(kept: Kept, run: Run) -> None:
    async with kept.ledger.effect({3}, 70) as connection:
        await kept.store.save_runs(connection, [run])
        await kept.store.save_messages(connection, [_message(run)])
        raise ZeroDivisionError


async def test_what_is_saved_is_read_as_it_was(kept: Kept) -> None:
    """A run and its messages come back with every field, and by their keys alone."""
    run = _run(record=b"\x00\xff", trace_id="t")
    message = replace(_message(run), recipient="ada@example.com", subject="Still there?")
    await _save(kept, [run, _run("bo", 8)], [message])
    assert await kept.store.runs_of([wake_of(run)]) == [run]
    assert await kept.store.messages_of([wake_of(run)]) == [message]
    assert await kept.store.runs_of([wake_of(replace(run, run_id="other"))]) == []


async def test_saving_again_brings_up_to_date(kept: Kept) -> None:
    """There is one row for a run and one for each of its messages, as they were saved last."""
    run = _run()
    await _save(kept, [run], [_message(run)])
    ended, sent = run.ended(SEGMENT_LEFT, NOW), _message(run, MessageStatus.SENT)
    await _save(kept, [ended], [sent])
    assert await kept.store.runs_of([wake_of(run)]) == [ended]
    assert await kept.store.messages_of([wake_of(run)]) == [sent]


async def test_an_effect_is_whole(kept: Kept) -> None:
    """One that fails leaves no run, no message and no position behind."""
    run = _run()
    with pytest.raises(ZeroDivisionError):
        await _fail_amid(kept, run)
    assert await kept.store.runs_of([wake_of(run)]) == []
    assert await kept.store.messages_of([wake_of(run)]) == []
    assert await kept.positions() == [0] * SHARDS


async def test_an_effect_moves_its_shards_on(kept: Kept) -> None:
    """The position is that of the effect, for its shards alone, and never goes back."""
    async with kept.ledger.effect({3, 5}, 70):
        pass
    async with kept.ledger.effect({3}, 60):
        pass
    assert await kept.positions() == [0, 0, 0, 70, 0, 70, 0, 0]


async def test_nobody_sees_an_effect_before_its_end(kept: Kept) -> None:
    """What reads beside a transaction reads what was committed before."""
    run = _run()
    async with kept.ledger.effect({3}) as connection:
        await kept.store.save_runs(connection, [run])
        assert await kept.store.runs_of([wake_of(run)]) == []
    assert await kept.store.active_of([ADA]) == [run]


async def test_who_owns_no_more_writes_nothing(kept: Kept) -> None:
    """After the shards were given back, an effect is refused with Fenced."""
    await kept.ownership.release()
    with pytest.raises(Fenced):
        await _save(kept, [_run()])
    assert await kept.store.active_of([ADA]) == []


async def test_runs_that_go_on_are_found_by_profile(kept: Kept) -> None:
    """Those that are over, and those of other profiles, are not."""
    mine, over, other = _run(), _run(position=6, flow="past"), _run("bo", 8)
    await _save(kept, [mine, over.ended(SEGMENT_LEFT, NOW), other])
    assert await kept.store.active_of([ADA]) == [mine]
    assert await kept.store.active_of([ADA, BO, (3, "default", "cy")]) == [mine, other]


async def test_the_latest_start_counts(kept: Kept) -> None:
    """By flow and profile, also of what is over, but not of what was never started."""
    first = _run().ended(SEGMENT_LEFT, NOW)
    later = _run(position=9, started_at=NOW + 5).ended(SEGMENT_LEFT, NOW + 6)
    never = flows.start(a_flow(cooldown_ms=HOUR), an_entry(at=NOW + 9, position=11), NOW)
    await _save(kept, [first, later, never])
    assert await kept.store.last_starts([ADA, BO]) == {(("default", "ada"), "recovery"): NOW + 5}


async def test_what_was_started_for_a_former_id_counts(kept: Kept) -> None:
    """Also where that had become part of another one before; of others nothing counts."""
    cy = (3, "default", "cy")
    await _save(kept, [_run("bo", 8, started_at=NOW + 3), _run("cy", 9, started_at=NOW + 7)])
    for place, former in ((BO, cy), (ADA, BO), (ADA, BO)):
        async with kept.ledger.effect({3}) as connection:
            await kept.store.save_formers(connection, [(place, former)])
    found = await kept.store.last_starts([ADA, cy])
    assert found == {
        (("default", "ada"), "recovery"): NOW + 7,
        (("default", "cy"), "recovery"): NOW + 7,
    }


async def test_former_ids_are_found(kept: Kept) -> None:
    """Those of a former id as well, the profile itself first; who took nobody in is alone."""
    cy, dee = (3, "default", "cy"), (5, "default", "dee")
    async with kept.ledger.effect({3}) as connection:
        await kept.store.save_formers(connection, [(BO, cy), (BO, dee), (ADA, BO)])
    first, *others = await kept.store.lineage(ADA)
    assert (first, set(others)) == (ADA, {BO, cy, dee})
    assert await kept.store.lineage(cy) == [cy]


async def test_what_is_to_be_looked_at_comes_in_pages(kept: Kept) -> None:
    """The earliest first, each once, of one shard; what is over is left out."""
    runs = [_run(f"p{n}", n, wake_at=NOW + n // 2) for n in range(1, 6)]
    await _save(kept, [*runs, _run("over", 9).ended(SEGMENT_LEFT, NOW)])
    found, after = [], (-1, "")
    while page := await kept.store.waking(3, after, NOW + HOUR, 2):
        found += page
        after = (page[-1][1], page[-1][0].run_id)
    ordered = sorted(runs, key=lambda run: (run.wake_at, run.run_id))
    assert found == [(wake_of(run), run.wake_at) for run in ordered]
    assert await kept.store.waking(4, (-1, ""), NOW + HOUR, 10) == []
    soon = await kept.store.waking(3, (-1, ""), NOW + 1, 10)
    assert [at for _, at in soon] == [NOW]


async def test_what_is_overdue_is_found(kept: Kept) -> None:
    """Up to a moment, that moment included, the earliest first, at most so many."""
    runs = [_run(f"p{n}", n, wake_at=NOW + n) for n in (3, 1, 2)]
    await _save(kept, runs)
    ordered = [wake_of(run) for run in sorted(runs, key=lambda run: run.wake_at or 0)]
    assert await kept.store.overdue([3, 4], NOW + 2, 10) == ordered[:2]
    assert await kept.store.overdue([3], NOW + 9, 1) == ordered[:1]
    assert await kept.store.overdue([4], NOW + 9, 10) == []


async def test_what_was_being_handed_over_is_found(kept: Kept) -> None:
    """By shard, whatever became of the run."""
    run = _run()
    sending = _message(run, MessageStatus.SENDING, step=3)
    await _save(kept, [run], [_message(run, MessageStatus.SENT), sending])
    assert await kept.store.sending_in([2, 3]) == [sending]
    assert await kept.store.sending_in([2]) == []


async def test_what_waits_in_a_run_that_ended_is_skipped(kept: Kept) -> None:
    """Pending messages, also those of the same effect; not what is being handed over."""
    run, going_on = _run(), _run("bo", 8)
    await _save(kept, [run, going_on], [_message(run), _message(going_on)])
    ended = run.ended(SEGMENT_LEFT, NOW)
    new, sending = _message(run, step=2), _message(run, MessageStatus.SENDING, step=3)
    async with kept.ledger.effect({3}) as connection:
        await kept.store.save_runs(connection, [ended, going_on])
        await kept.store.save_messages(connection, [new, sending])
        skipped = await kept.store.skip_pending(connection, [ended, going_on])
    expected = [_message(run).skipped(SEGMENT_LEFT), new.skipped(SEGMENT_LEFT)]
    assert sorted(skipped, key=lambda message: message.step) == expected
    found = await kept.store.messages_of([wake_of(run)])
    assert sorted(found, key=lambda message: message.step) == [*expected, sending]
    assert await kept.store.messages_of([wake_of(going_on)]) == [_message(going_on)]


async def test_a_flow_has_one_run_that_goes_on(kept: Kept) -> None:
    """Two for one profile are refused; once the first has ended, also in that effect, they are not.

    So are two runs of one entry.
    """
    first, second = _run(), _run(position=9)
    await _save(kept, [first])
    for beside in (second, replace(a_run(), run_id="other").ended(SEGMENT_LEFT, NOW)):
        with pytest.raises((NotUnique, asyncpg.UniqueViolationError)):
            await _save(kept, [beside])
    await _save(kept, [first.ended(SEGMENT_LEFT, NOW), second])
    assert await kept.store.active_of([ADA]) == [second]


async def test_what_there_is_of_a_deleted_profile_goes(kept: Kept) -> None:
    """Runs of entries before the deletion and their messages, of nobody else; it is noted once.

    Nobody is part of it any more.
    """
    old, other, new = _run(), _run("bo", 8), _run(position=11)
    async with kept.ledger.effect({3}) as connection:
        await kept.store.save_formers(connection, [(ADA, BO)])
    await _save(kept, [old.ended(SEGMENT_LEFT, NOW), other, new], [_message(old), _message(new)])
    gone = Departure(
        shard=3, workspace="default", profile="ada", deletion_id="d1", position=10, at=NOW
    )
    for _ in range(2):
        async with kept.ledger.effect({3}, 10) as connection:
            departed = await kept.store.depart(connection, gone)

    left = await kept.store.runs_of([wake_of(run) for run in (old, other, new)])
    noted = await kept.store.departed("default", ["d1", "d2"])
    assert (departed.runs, departed.messages) == ([], 0)
    assert {run.run_id for run in left} == {other.run_id, new.run_id}
    assert await kept.store.messages_of([wake_of(old), wake_of(new)]) == [_message(new)]
    assert await kept.store.lineage(ADA) == [ADA]
    assert noted == [Noted(erased={"runs": 1, "messages": 1}, done_at=NOW)]

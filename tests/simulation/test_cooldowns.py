"""Which starts the simulated world counts for a cooldown."""

from __future__ import annotations

from dataclasses import replace

from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.log.port import Record
from hairspring.services.delivery.runs import Run, RunStatus

from tests.simulation.cooldowns import Cooldowns
from tests.simulation.delivery import Decided, WatchedRuns
from tests.unit.delivery.making import a_flow, a_run

FLOW = a_flow(cooldown_ms=3_000)
#: She enters at position 7, in commit 9; the starts had been read after commit 8.
HERS = a_run(FLOW, run_id="hers", started_at=10_000)
OWN = a_run(FLOW, run_id="own", entry_position=6, started_at=9_000)
OF_A_FORMER = replace(OWN, run_id="former", profile="x1")


def test_a_start_of_a_former_id_counts_once_it_was_committed() -> None:
    """What was committed when the starts were read holds her back, what came later does not."""
    assert not _allowed(OF_A_FORMER, commit=8)
    assert _allowed(OF_A_FORMER, commit=9)


def test_a_former_id_counts_from_the_next_batch_on() -> None:
    """A link holds her back, unless it came in the batch of the entry, or behind it."""
    assert not _allowed(OF_A_FORMER, linked=8)
    assert _allowed(OF_A_FORMER, linked=9)
    assert _allowed(OF_A_FORMER, link=8, linked=12)


def test_a_link_that_was_never_noted_counts_all_the_same() -> None:
    """Not to know of a former id excuses nothing, and is told."""
    assert not _allowed(OF_A_FORMER, linked=None)
    assert list(_cooldowns(linked=None, older_linked=7).missing()) == [
        "it is not known that x1 became part of ada at 5"
    ]
    assert not list(_cooldowns(linked=8, older_linked=7).missing())


def test_a_former_id_of_a_former_id_counts_once_that_was_noted() -> None:
    """What one that became part of her had taken in before holds her back as far as is known."""
    older = replace(OF_A_FORMER, profile="x2")
    assert not _allowed(older, older_linked=8)
    assert _allowed(older, older_linked=9)
    assert _allowed(older, older_linked=None)


def test_only_what_began_before_holds_her_back() -> None:
    """Her own later starts, those of other flows, and what was held back itself do not count."""
    assert not _allowed(OWN)
    assert _allowed(replace(OWN, entry_position=8))
    assert _allowed(replace(OWN, flow="another"))
    assert _allowed(replace(OWN, status=RunStatus.NOT_STARTED))
    assert _allowed(replace(OWN, started_at=7_000))


def _allowed(
    other: Run,
    *,
    commit: int = 1,
    link: int = 5,
    linked: int | None = 2,
    older_linked: int | None = None,
) -> bool:
    """Tell whether HERS was to begin, with the other run as `commit` brought it."""
    cooldowns = _cooldowns(link=link, linked=linked, older_linked=older_linked)
    cooldowns.rows.decided[HERS.run_id] = Decided(commit=9, knew=8)
    cooldowns.rows.decided[other.run_id] = Decided(commit=commit, knew=0)
    return cooldowns.allow(HERS, FLOW, [other, HERS])


def _cooldowns(*, link: int = 5, linked: int | None, older_linked: int | None = None) -> Cooldowns:
    """x1 became part of ada at position `link`, x2 of x1 before; noted in these commits."""
    rows = WatchedRuns(report=print)
    for pair, commit in ((("ada", "x1"), linked), (("x1", "x2"), older_linked)):
        if commit is not None:
            rows.linked[pair] = commit
    cooldowns = Cooldowns(rows)
    cooldowns.read([_merged("ada", "x1", link), _merged("x1", "x2", 3)])
    return cooldowns


def _merged(profile: str, former: str, position: int) -> tuple[Record, transition_pb2.Record]:
    body = transition_pb2.Record()
    body.merged.former_profile_id = former
    at = Record(
        position=position, shard=0, workspace="default", profile=profile, accepted_at=0, payload=b""
    )
    return at, body

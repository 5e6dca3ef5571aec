"""Why somebody is in a segment."""

from __future__ import annotations

from hairspring.engine.conditions import Abandoned, All, InSegment, Not, Performed
from hairspring.engine.evidence import explain
from hairspring.engine.plan import Plan
from hairspring.engine.records import Evidence, Transition
from hairspring.engine.step import Passed

from tests.unit.engine.histories import ADD, BUY, event, fold, segment

ENTER = All((Abandoned(pattern=ADD, unless=BUY, after=100), Not(InSegment("staff"))))
PLAN = Plan(
    [
        segment(Performed(pattern=BUY, within=1), "staff"),
        segment(ENTER, exit=Performed(pattern=BUY)),
    ]
)


def transitions(*given: object) -> list[Transition]:
    records = fold(PLAN, *given).records  # type: ignore[arg-type]
    return [r for r in records if isinstance(r, Transition) and r.segment == "carts"]


def test_an_entry_names_the_conditions_and_their_events() -> None:
    """Each condition without parts, by its path, with the (time, order) of what it found."""
    (entered,) = transitions(event("Add", 0), event("Add", 40), Passed(500))

    assert (
        Evidence(
            path="enter.all[0].abandoned",
            holds=True,
            events=((0, 0), (40, 40)),
            detail="not ended in time",
        ),
        Evidence(path="enter.all[1].not.segment", holds=False, events=(), detail="is not in staff"),
    ) == entered.evidence


def test_a_leaving_names_the_exit() -> None:
    """Where `exit` holds it is what made the profile leave, and the entry is named."""
    _, left = transitions(event("Add", 0), event("Buy", 200))

    detail = "1 counted, asked for >= 1"
    found = Evidence(path="exit.performed", holds=True, events=((200, 200),), detail=detail)
    assert (found,) == left.evidence
    assert left.entered_at == 100


def test_explaining_shows_the_whole_tree() -> None:
    """With what holds, until when, and in words."""
    state = fold(PLAN, event("Add", 0)).state

    told = explain(ENTER, "enter", state, 50)

    assert (
        told.path,
        told.holds,
        told.detail,
    ) == ("enter.all", False, "1 of 2 hold, all are needed")
    assert (told.parts[0].holds, told.parts[0].until) == (False, 100)
    assert told.parts[0].detail == "started, can still be ended in time"
    assert told.parts[1].parts[0].detail == "is not in staff"

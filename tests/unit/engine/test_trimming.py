"""Forgetting."""

from __future__ import annotations

from hairspring.engine.conditions import Abandoned, All, Comparison, Performed

from tests.unit.engine.histories import ADD, BUY, by, event, lived


def test_a_window_bounds_what_is_remembered() -> None:
    """What has slid out at the clock is forgotten; the longest window of a stream counts."""
    short, long = Performed(pattern=ADD, within=10), Performed(pattern=ADD, within=100)
    times = [0, 50, 95, 100]
    events = [event("Add", time, time + 1) for time in times]

    assert lived(short, *events).run(ADD.key).times == [95, 100]
    assert lived(All((short, long)), *events).run(ADD.key).times == [50, 95, 100]


def test_a_count_remembers_no_more_than_decides() -> None:
    """With a count of two asked for, a thousand events are not kept."""
    condition = Performed(pattern=ADD, times=Comparison(operator="==", number=2))
    profile = lived(condition, *(event("Add", time) for time in range(1, 1001)))

    assert len(profile.run(ADD.key)) <= 4
    assert not condition.verdict(profile, 1000).holds


def test_a_shared_stream_is_remembered_for_all_who_read_it() -> None:
    """Starts that an end beyond the horizon has closed still count for others."""
    abandoned = Abandoned(pattern=ADD, unless=BUY, after=10)
    thrice = Performed(pattern=ADD, times=Comparison(operator=">=", number=3))
    events = [event("Add", 1), event("Add", 2), event("Buy", 3), event("Add", 900)]

    assert thrice.verdict(lived(All((abandoned, thrice)), *events, horizon=100), 900).holds


def test_groups_that_are_over_are_forgotten() -> None:
    """A cart that was bought before the horizon leaves nothing; one that was not is kept."""
    condition = Abandoned(pattern=by("Add"), unless=by("Buy"), after=10)
    events = [event("Add", 1, cart=1), event("Buy", 2, cart=1), event("Add", 3, cart=2)]
    profile = lived(condition, *events, event("Add", 900, cart=3), horizon=100)

    assert {"2", "3"} == set(profile.runs(condition.pattern.key))
    assert condition.finding(profile, 900).groups == ("2",)


def test_an_open_episode_is_remembered_beyond_the_horizon() -> None:
    """Without `restart` its opening decides, however long ago it was."""
    condition = Abandoned(pattern=ADD, unless=BUY, after=1000, restart=False)
    events = [event("Add", 0, 1), event("Add", 500), event("Add", 900)]

    assert condition.verdict(lived(condition, *events, horizon=100), 1000).holds


def test_starts_that_are_ended_again_and_again_do_not_add_up() -> None:
    """Also where there is always an end that is not beyond the horizon yet."""
    condition = Abandoned(pattern=ADD, unless=BUY, after=10, restart=False)
    events = [event(name, time) for time in range(1, 1001) for name in ("Add", "Buy")]
    profile = lived(condition, *events, horizon=100)

    assert len(profile.run(condition.pattern.key)) <= 101
    assert condition.finding(profile, 1000).detail == "ended in time"

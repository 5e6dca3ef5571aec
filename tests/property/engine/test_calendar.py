"""Days of real zones, over years: the engine tells what the oracle tells.

So many milliseconds cannot all be looked at: the oracle looks at every moment at which a day, a
date, a window or a wait can begin or end, and at those that memberships lead to.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

from hairspring.engine.simulate import simulate

from tests.property.engine import definitions, oracle, translated
from tests.property.engine.definitions import BORN, HOUR, ZONE
from tests.property.engine.profiles import property_test

DAY = 24 * HOUR
#: Zones whose clocks change at midnight, skip a whole day, have odd offsets, or are far away.
ZONES = {
    "America/Sao_Paulo": (2016, 2017, 2018),
    "Asia/Beirut": (2016, 2017, 2022),
    "America/Havana": (2012, 2017, 2019),
    "Pacific/Apia": (2010, 2011, 2012),
    "Asia/Kathmandu": (1985, 1986, 2020),
    "Australia/Lord_Howe": (2019, 2020),
    "Africa/Cairo": (2014, 2023),
    "Europe/Berlin": (1999, 2020, 2024),
    "Pacific/Kiritimati": (1994, 1995, 2020),
    "UTC": (1969, 1970, 2000),
}
#: Days before, at and after which these clocks change, and others of interest.
DAYS = (
    *("10-14", "10-15", "10-16", "02-17", "02-18", "11-04", "03-25", "03-26", "10-29"),
    *("03-12", "11-05", "12-29", "12-30", "12-31", "01-01", "02-28", "02-29", "03-01", "04-28"),
)
SPANS = (-3 * DAY, -DAY, -HOUR, 0, 1, HOUR, DAY, 7 * DAY, 364 * DAY, -364 * DAY)


def span(random: Random) -> tuple[int, int]:
    begin, end = sorted(random.sample(SPANS, 2))
    return begin, min(end, begin + 365 * DAY)


def of_days(random: Random, zone: str) -> oracle.Condition:
    """A condition that time alone changes."""
    begin, end = span(random)
    match random.randrange(6):
        case 0:
            return oracle.Date(BORN, begin, end)
        case 1:
            within = random.choice((HOUR, DAY, 7 * DAY))
            return oracle.Performed(oracle.Pattern(("A",)), ">=", 1, within, None)
        case 2:
            return oracle.Inactive(oracle.Pattern(("A",)), random.choice((HOUR, DAY)))
        case 3:
            return oracle.Anniversary(BORN, begin, end, "UTC", ZONE)
        case _:
            return oracle.Anniversary(BORN, begin, end, zone)


def condition(random: Random, zone: str) -> oracle.Condition:
    match random.randrange(5):
        case 0:
            return oracle.All((of_days(random, zone), of_days(random, zone)))
        case 1:
            return oracle.Any((of_days(random, zone), of_days(random, zone)))
        case 2:
            return oracle.Not(of_days(random, zone))
        case _:
            return of_days(random, zone)


def segment(random: Random, zone: str) -> oracle.Segment:
    return oracle.Segment(
        "days",
        condition(random, zone),
        exit=definitions.maybe(random, 0.3, lambda r: condition(r, zone)),
        stay=definitions.maybe(random, 0.3, lambda r: r.choice((HOUR, DAY, 30 * DAY))),
        cooldown=definitions.maybe(random, 0.3, lambda r: r.choice((HOUR, DAY, 30 * DAY))),
    )


def events(random: Random, zone: str) -> tuple[oracle.Event, ...]:
    """A few, near the days of interest, the first of which sets the traits."""
    year, times = random.choice(ZONES[zone]), list[int]()
    for _ in range(random.randint(1, 5)):
        day = random.choice(DAYS).replace("02-29", "02-28")
        at = datetime.fromisoformat(f"{year}-{day}").replace(tzinfo=UTC)
        near = at + timedelta(hours=random.randint(-15, 15), minutes=random.choice((0, 30, 45)))
        times.append(round(near.timestamp() * 1000) + random.choice((-1, 0, 0, 1)))
    return tuple(
        oracle.Event(
            "A",
            time,
            order,
            time,
            kind="track" if order and random.random() < 0.7 else "identify",
            traits=traits(random, year, zone),
        )
        for order, time in enumerate(sorted(times))
    )


def traits(random: Random, year: int, zone: str) -> tuple[tuple[str, object], ...]:
    born = random.choice(("1984", str(year), "2000", "1970"))
    day = random.choice(DAYS)
    if day == "02-29":
        born = random.choice(("1984", "2000"))
    clock = random.choice(("", "", "T12:30:00.000Z", "T23:59:59.999+03:00"))
    return (BORN, f"{born}-{day}{clock}"), (ZONE, random.choice((zone, zone, "nowhere", None)))


def candidates(
    said: oracle.Segment, happened: tuple[oracle.Event, ...], zone: str
) -> Iterator[int]:
    """Every moment at which an answer can change."""
    first, last = happened[0].time, happened[-1].time
    years = range(year_of(first) - 2, year_of(last) + 5)
    known = {value for event in happened for name, value in event.traits if name == BORN}
    days = [*(oracle.moment(value) or 0 for value in known)]
    for value in known:
        month, day = (int(part) for part in str(value)[5:10].split("-"))
        days += [oracle.midnight(y, month, day, z) for y in years for z in (zone, "UTC")]
    for leaf in oracle.conditions_of(said):
        if isinstance(leaf, oracle.Date | oracle.Anniversary):
            yield from (day + leaf.begin for day in days)
            yield from (day + leaf.end for day in days)
        elif isinstance(leaf, oracle.Performed):
            yield from (event.time + (leaf.within or 0) for event in happened)
        elif isinstance(leaf, oracle.Inactive):
            yield from (event.time + leaf.wait for event in happened)


def year_of(t: int) -> int:
    return (datetime(1970, 1, 1) + timedelta(milliseconds=t)).year


@property_test
def test_days_in_real_zones(random: Random) -> None:
    """Anniversaries and dates turn at the millisecond, also where midnight is skipped or twice."""
    zone = random.choice(list(ZONES))
    said, happened = segment(random, zone), events(random, zone)
    end = happened[-1].time + random.choice((DAY, 400 * DAY, 800 * DAY))
    given = [("ada", translated.event(event)) for event in happened]

    found = simulate(given, translated.plan([said]), until=end)

    moments = tuple(sorted(set(candidates(said, happened, zone))))
    expected = oracle.by_event_time((said,), happened, end, moments)
    assert translated.story(expected) == translated.told(told.record for told in found)


@property_test
def test_a_condition_on_days_is_woken_at_the_millisecond(random: Random) -> None:
    """Between two moments of change nothing changes, and the later one is not slept through."""
    zone = random.choice(list(ZONES))
    said, happened = segment(random, zone), events(random, zone)
    state = translated.state(happened, [said])
    condition = translated.condition(said.enter)
    history, start = list(happened), happened[-1].time
    end = start + 800 * DAY
    moments = sorted({t for t in candidates(said, happened, zone) if start < t < end})

    for earlier, later in pairwise([start, *moments]):
        verdict = condition.verdict(state, earlier)
        assert oracle.holds(said.enter, history, set(), earlier) == verdict.holds
        assert condition.verdict(state, later - 1).holds == verdict.holds
        if condition.verdict(state, later).holds != verdict.holds:
            assert verdict.until is not None
            assert earlier < verdict.until <= later

"""The schedule of a run: which faults strike when, all of it drawn from the seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.chaos.faults import (
    Cut,
    Delay,
    Fault,
    FillLoop,
    FlushRedis,
    HoldUp,
    Join,
    JumpClock,
    Kill,
    Pause,
    PauseRedis,
    RestartPostgres,
    RestartRedis,
    RewindRedis,
    Terminate,
)
from tests.chaos.replicas import LINKS

OWNERS = ("rule_evaluator", "delivery")
SERVICES = ("ingest", *OWNERS)
#: A replica is taken for gone after a lease of ten seconds.
LONGER_THAN_A_LEASE = (12.0, 15.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A fault, and how long nothing happens before it."""

    rest_seconds: float
    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """First one fault after the other, so that each can be measured; then several at a time."""

    alone: list[Planned]
    together: list[list[Planned]]


def full(seed: int) -> Schedule:
    """The schedule of a whole run: every kind of fault alone, then two rows of them at once."""
    chance = random.Random(seed)
    alone = [make(chance, service) for make, service in _each_once(chance)]
    chance.shuffle(alone)
    return Schedule(
        alone=[Planned(rest_seconds=chance.uniform(1.0, 3.0), fault=fault) for fault in alone],
        together=[
            [_planned(chance, _of_processes(chance)) for _ in range(40)],
            [_planned(chance, _of_servers(chance)) for _ in range(40)],
        ],
    )


def _each_once(chance: random.Random) -> Iterator[tuple[_Make, str]]:
    """Every kind of fault; those that owners of shards are promised something for, of both."""
    for service in OWNERS:
        yield _pause, service
        yield _terminate, service
    for service in SERVICES:
        yield _kill, service
    for make in (_fill, _jump, _cut, _hold_up, _delay):
        yield make, chance.choice(OWNERS)
    yield _join, chance.choice(SERVICES)
    for make in (_flush, _restart_redis, _rewind_redis, _pause_redis, _restart_postgres):
        yield make, ""


def _planned(chance: random.Random, fault: Fault) -> Planned:
    return Planned(rest_seconds=chance.uniform(0.0, 3.0), fault=fault)


def _of_processes(chance: random.Random) -> Fault:
    makes = (_kill, _pause, _terminate, _fill, _jump, _join)
    return chance.choice(makes)(chance, chance.choice(SERVICES))


def _of_servers(chance: random.Random) -> Fault:
    redis = (_flush, _restart_redis, _rewind_redis, _pause_redis)
    makes = (*redis, _restart_postgres, _cut, _hold_up, _delay)
    return chance.choice(makes)(chance, chance.choice(SERVICES))


def _seed(chance: random.Random) -> int:
    return chance.randrange(1 << 32)


def _kill(chance: random.Random, service: str) -> Fault:
    return Kill(seed=_seed(chance), service=service, away_seconds=chance.uniform(0.0, 5.0))


def _terminate(chance: random.Random, service: str) -> Fault:
    return Terminate(seed=_seed(chance), service=service, away_seconds=chance.uniform(0.0, 3.0))


def _pause(chance: random.Random, service: str) -> Fault:
    seconds = chance.uniform(*LONGER_THAN_A_LEASE)
    return Pause(seed=_seed(chance), service=service, seconds=seconds)


def _fill(chance: random.Random, service: str) -> Fault:
    return FillLoop(seed=_seed(chance), service=service, seconds=chance.uniform(3.0, 7.0))


def _join(chance: random.Random, service: str) -> Fault:
    return Join(seed=_seed(chance), service=service, seconds=chance.uniform(2.0, 6.0))


def _jump(chance: random.Random, service: str) -> Fault:
    size = 10 ** chance.uniform(0.0, 4.0)  # a second up to some hours
    return JumpClock(
        seed=_seed(chance),
        service=service,
        wrong_by_seconds=size * chance.choice((-1, 1)),
        seconds=chance.uniform(4.0, 9.0),
    )


def _flush(chance: random.Random, _service: str) -> Fault:
    return FlushRedis(seed=_seed(chance))


def _restart_redis(chance: random.Random, _service: str) -> Fault:
    return RestartRedis(seed=_seed(chance), away_seconds=chance.uniform(4.0, 8.0))


def _rewind_redis(chance: random.Random, _service: str) -> Fault:
    return RewindRedis(seed=_seed(chance), behind_seconds=chance.uniform(0.5, 4.0))


def _pause_redis(chance: random.Random, _service: str) -> Fault:
    return PauseRedis(seed=_seed(chance), seconds=chance.uniform(1.0, 6.0))


def _restart_postgres(chance: random.Random, _service: str) -> Fault:
    return RestartPostgres(
        seed=_seed(chance), away_seconds=chance.uniform(0.0, 4.0), killed=chance.random() < 0.5
    )


def _cut(chance: random.Random, service: str) -> Fault:
    return Cut(
        seed=_seed(chance),
        service=service,
        link=chance.choice(LINKS[service]),
        seconds=chance.choice((0.0, chance.uniform(0.5, 5.0))),
    )


def _hold_up(chance: random.Random, service: str) -> Fault:
    return HoldUp(
        seed=_seed(chance),
        service=service,
        link=chance.choice(LINKS[service]),
        seconds=chance.uniform(2.0, 14.0),
        resets=chance.random() < 0.5,
    )


def _delay(chance: random.Random, service: str) -> Fault:
    return Delay(
        seed=_seed(chance),
        service=service,
        link=chance.choice(LINKS[service]),
        seconds=chance.uniform(3.0, 7.0),
        delay_ms=chance.randrange(5, 150),
    )


_Make = Callable[[random.Random, str], Fault]

"""The delay queue: how much it takes and hands out a second, how late it is, how much it holds.

The library as the services use it, in one process, on the bundled Valkey: schedules and cancels in
calls of 500 over 256 shards, claims with acknowledgement by the timer loop. On the same server in
the same rounds, plain sorted-set commands as the limit, and BullMQ and arq.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hairspring.embedded.valkey import ValkeyServer, valkey
from redis.asyncio import Redis

from tests.benchmarks import timers_peers
from tests.benchmarks.figures import Figure, Size, ratio
from tests.benchmarks.programs import told_by
from tests.benchmarks.timers_peers import NotInstalled, Peer

FEW = 10_000
RATES = (2_000, 20_000)
PEER_SHARE = 5  #: Peers get this part of the timers, since they take longer.
LONGEST_SECONDS = 600
GOALS = {"schedule": "150,000", "cancel": "200,000", "claim": "100,000"}
LATE_GOALS = {2_000: "p99 under 5", 20_000: "p99 under 20"}
TITLES = {
    "schedule": "schedules",
    "cancel": "cancels",
    "claim": "claims with acknowledgement",
}
COMMAND = 'make bench ARGS="--only timers"'
OURS, PLAIN, MANY, BARE = "ours", "plain", "many pending", "a bare sleep"

Say = Callable[[str], None]
Found = dict[str, list[dict[str, Any]]]
"""What each load answered, by who was loaded and with what; one of each for a round."""


def figures(size: Size, directory: Path, say: Say) -> Iterator[Figure]:
    """Measure speed, lateness and size; beside the limit, and peers where they can be had."""
    where = directory / "timers"
    shutil.rmtree(where, ignore_errors=True)
    try:
        peers = _peers(directory.absolute() / "peers", say) if size.peers else []
        found = asyncio.run(_measure(size, where, peers, say))
    finally:
        shutil.rmtree(where, ignore_errors=True)
    yield from _speeds(found, peers)
    yield from _lateness(found, peers)
    yield from _many(found, size)


def _peers(directory: Path, say: Say) -> list[Peer]:
    peers = []
    for install in (timers_peers.bullmq, timers_peers.arq):
        try:
            peers.append(install(directory))
        except NotInstalled as error:
            say(f"left out {install.__name__}: {error}")
    return peers


async def _measure(size: Size, directory: Path, peers: list[Peer], say: Say) -> Found:
    found: Found = defaultdict(list)
    speed = ("--count", str(size.timers))
    async with valkey(directory / "valkey") as server:
        await _ours(server, "fill", "--count", str(FEW))
        for number in range(size.rounds):
            say(f"round {number + 1} of {size.rounds}")
            found[f"{OURS} speed"].append(await _ours(server, "speed", *speed))
            found[f"{PLAIN} speed"].append(await _plain(server, "speed", *speed))
            for rate in RATES:
                told = ("--rate", str(rate), "--seconds", str(size.timers_seconds))
                found[f"{OURS} {rate}"].append(await _ours(server, "late", *told))
            told = ("--rate", str(RATES[0]), "--seconds", str(size.timers_seconds))
            found[f"{PLAIN} {RATES[0]}"].append(await _plain(server, "late", *told))
            found[BARE].append(await _plain(server, "bare", *told))
            for peer in peers:
                say(f"round {number + 1} of {size.rounds}: {peer.name}")
                for role, what in (("speed", "speed"), ("late", str(RATES[0]))):
                    found[f"{peer.name} {what}"].append(await _peer(peer, server, role, size))
        await _measure_many(server, size, found, say)
    return found


async def _measure_many(server: ValkeyServer, size: Size, found: Found, say: Say) -> None:
    say(f"filling in {size.timers_pending:,} timers")
    async with Redis.from_url(server.url) as redis:
        await redis.flushall()
    found["size"].append(await _ours(server, "fill", "--count", str(size.timers_pending)))
    for number in range(size.rounds):
        say(f"round {number + 1} of {size.rounds} with {size.timers_pending:,} pending")
        found[f"{MANY} speed"].append(await _ours(server, "speed", "--count", str(size.timers)))
        told = ("--rate", str(RATES[1]), "--seconds", str(size.timers_seconds))
        found[f"{MANY} {RATES[1]}"].append(await _ours(server, "late", *told))


async def _ours(server: ValkeyServer, *options: str) -> dict[str, Any]:
    return await _load(server, "timers_load", *options)


async def _plain(server: ValkeyServer, *options: str) -> dict[str, Any]:
    return await _load(server, "timers_limits", *options)


async def _load(server: ValkeyServer, module: str, *options: str) -> dict[str, Any]:
    where = ("--redis", server.url, "--server", str(server.pid))
    program = (sys.executable, "-m", f"tests.benchmarks.{module}")
    return await told_by(*program, *options, *where, within=LONGEST_SECONDS)


async def _peer(peer: Peer, server: ValkeyServer, role: str, size: Size) -> dict[str, Any]:
    count, rate, seconds = size.timers // PEER_SHARE, RATES[0], int(size.timers_seconds)
    told = (role, str(server.port), str(count), str(rate), str(seconds))
    return await told_by(*peer.command, *told, within=LONGEST_SECONDS)


def _speeds(found: Found, peers: list[Peer]) -> Iterator[Figure]:
    others = (PLAIN, *(peer.name for peer in peers))
    for what, title in TITLES.items():
        ours = _taken(found, f"{OURS} speed", what)
        ratios = [
            f"{ratio(ours, _taken(found, f'{other} speed', what)):.3g} × {other}"
            for other in others
        ]
        yield _figure(
            f"timers, {title}",
            "/s",
            ours,
            goal=GOALS[what],
            ratio=", ".join(ratios),
            note=_cores(found, f"{OURS} speed", what),
        )
        for other in others:
            note = _cores(found, f"{other} speed", what)
            yield _figure(
                f"{other}, {title}", "/s", _taken(found, f"{other} speed", what), note=note
            )
    single = _taken(found, f"{PLAIN} speed", "single")
    yield _figure(f"{PLAIN}, schedules, a command each", "/s", single)


def _lateness(found: Found, peers: list[Peer]) -> Iterator[Figure]:
    for share in ("p50", "p99"):
        for rate in RATES:
            of_cores = [
                round_["rate"] * round_["client"] / 1e6 for round_ in found[f"{OURS} {rate}"]
            ]
            yield _figure(
                f"timers, lateness {share} at {rate:,} due a second",
                "ms",
                _taken(found, f"{OURS} {rate}", share),
                goal=LATE_GOALS[rate] if share == "p99" else "",
                note=f"takes {sorted(of_cores)[len(of_cores) // 2]:.0%} of a core",
            )
        late = f"lateness {share} at {RATES[0]:,} due a second"
        yield _figure(f"{PLAIN}, {late}", "ms", _taken(found, f"{PLAIN} {RATES[0]}", share))
        for peer in peers:
            values = _taken(found, f"{peer.name} {RATES[0]}", share)
            yield _figure(f"{peer.name}, {late}", "ms", values, note=peer.lateness)
        yield _figure(
            f"{BARE}, lateness {share}", "ms", _taken(found, BARE, share), note="of this machine"
        )


def _many(found: Found, size: Size) -> Iterator[Figure]:
    held = f"with {size.timers_pending:,} pending"
    yield _figure(f"timers, each {held}", "bytes", _taken(found, "size", "bytes"))
    for what, title in TITLES.items():
        many, few = (_taken(found, f"{of} speed", what) for of in (MANY, OURS))
        yield _figure(
            f"timers, {title} {held}",
            "/s",
            many,
            ratio=f"{ratio(many, few):.2f} × with {FEW:,} pending",
            note=_cores(found, f"{MANY} speed", what),
        )
    for share in ("p50", "p99"):
        yield _figure(
            f"timers, lateness {share} at {RATES[1]:,} due a second {held}",
            "ms",
            _taken(found, f"{MANY} {RATES[1]}", share),
        )


def _taken(found: Found, who: str, what: str) -> tuple[float, ...]:
    """The rounds of one figure; what a speed is made of is told apart from its rate."""
    values = [one[what] for one in found[who]]
    return tuple(one["rate"] if isinstance(one, dict) else one for one in values)


def _cores(found: Found, who: str, what: str) -> str:
    """What one timer takes of the cores, in the round in the middle."""
    rounds = sorted((one[what] for one in found[who]), key=lambda one: float(one["rate"]))
    middle = rounds[len(rounds) // 2]
    told = f"{middle['client']:.1f} µs here"
    return f"{told}, {middle['server']:.1f} µs in Valkey" if "server" in middle else told


def _figure(
    name: str,
    unit: str,
    values: tuple[float, ...],
    *,
    goal: str = "",
    ratio: str = "",
    note: str = "",
) -> Figure:
    return Figure(
        name=name, unit=unit, values=values, command=COMMAND, goal=goal, ratio=ratio, note=note
    )

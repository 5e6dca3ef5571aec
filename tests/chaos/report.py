"""The report of a run: the books, the figures beside what was promised, and the faults."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.wire.times import iso, to_ms
from rich.console import Console
from rich.table import Table

from tests.chaos import mail_books
from tests.chaos.course import Course, Outcome
from tests.chaos.figures import longest_gap, spread
from tests.chaos.scene import Happened

REPOSITORY = Path(__file__).resolve().parents[2]
_CALM, _SEVERAL = "nothing", "several faults"
#: What a fault has held up is worked off for so long after it.
_AFTER_MS = 2_000


def make(
    seed: int, course: Course, outcome: Outcome, expected: int, problems: list[str]
) -> dict[str, Any]:
    """Put together what a run has shown; `expected` is how many transitions there had to be."""
    scene, latencies = course.scene, list(_latencies(outcome))
    _add_due_while_away(course, outcome, latencies)
    found = [r for r in outcome.records if r.WhichOneof("body") == "transition"]
    committed = [to_ms(record.record_time) for record in outcome.records]
    accepted = [to_ms(record.accept_time) for record in outcome.log]
    return {
        "seed": seed,
        "began": iso(outcome.began),
        "seconds": round((outcome.ended - outcome.began) / 1000, 1),
        "problems": problems,
        "events": {
            "acknowledged": len(course.load.acknowledged),
            "in_the_log": len(outcome.log),
            "calls_made_again": course.load.sent_again,
        },
        "transitions": {
            "expected": expected,
            "found": sum(to_ms(r.transition.effective_time) <= outcome.until for r in found),
            "read_by_a_subscriber": len(course.subscriber.records),
            "records_in_the_log": len(outcome.records),
            "breaks_of_the_subscription": course.subscriber.breaks,
        },
        "mails": {
            "entries_that_set_off_flows": len(outcome.runs),
            "arrived": sum(len(times) for times in outcome.mails.values()),
            **mail_books.counted(outcome.messages),
        },
        "longest_without_ms": {
            "an event accepted": longest_gap(accepted, outcome.began, outcome.ended),
            "a transition committed": longest_gap(committed, outcome.began, outcome.ended),
        },
        "ended_by_itself": {one.name: one.ended_by_itself for one in scene.replicas.all()},
        "figures": scene.figures.lines(),
        "latency_ms": _by_phase(scene.diary, latencies),
        "mail_lateness_ms": _by_phase(scene.diary, _mail_lateness(outcome)),
        "notes": scene.notes,
        "faults": [_fault(one, outcome.began) for one in scene.diary],
    }


def write(report: dict[str, Any]) -> Path:
    """Write it to build/chaos, by its seed, and print it."""
    folder = REPOSITORY / "build" / "chaos"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report['seed']}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    show(report, Console(width=130))
    return path


def show(report: dict[str, Any], console: Console) -> None:
    """Print the report as tables."""
    console.print(f"\n[bold]Chaos, seed {report['seed']}[/]: {report['seconds']} s of faults")
    faults = Table("at", "fault", "for", "", title="What was done", title_justify="left")
    for one in report["faults"]:
        amid = "" if one["alone"] else "amid others"
        faults.add_row(f"{one['at_s']:.1f} s", one["what"], f"{one['for_s']:.1f} s", amid)
    console.print(faults)
    figures = Table("figure", "of", "alone", "amid others", "promised", "", title="Figures, s")
    for one in report["figures"]:
        limit = "" if one["limit"] is None else f"< {one['limit']:g}"
        kept = {None: "", True: "kept", False: "[bold red]not kept[/]"}[one["kept"]]
        figures.add_row(
            one["figure"],
            one["of"],
            _listed(one["alone"]),
            _listed(one["amid_others"]),
            limit,
            kept,
        )
    console.print(figures)
    for title, name in (
        ("Event or moment to commit of its transition, ms", "latency_ms"),
        ("Mail due to mail arrived, ms", "mail_lateness_ms"),
    ):
        phases = Table("while", "n", "p50", "p99", "max", title=title)
        for phase, values in report[name].items():
            phases.add_row(phase, *(str(values.get(key, "")) for key in ("n", "p50", "p99", "max")))
        console.print(phases)
    for name in ("events", "transitions", "mails", "longest_without_ms"):
        told = ", ".join(f"{key} {value}" for key, value in report[name].items())
        console.print(f"{name}: {told}".replace("_", " "), highlight=False)
    ended = {name: count for name, count in report["ended_by_itself"].items() if count}
    console.print(f"ended by themselves: {ended or 'none'}")
    for note in report["notes"]:
        console.print(f"note: {note}")
    for problem in report["problems"]:
        console.print(f"[bold red]wrong:[/] {problem}", markup=True)
    console.print("[bold green]the books are right[/]" if not report["problems"] else "")


def _listed(values: list[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)


def _fault(one: Happened, began: int) -> dict[str, Any]:
    return {
        "what": one.what,
        "kind": one.kind,
        "at_s": round((one.began - began) / 1000, 1),
        "for_s": round((one.ended - one.began) / 1000, 1),
        "alone": one.alone,
    }


Late = tuple[int, int, bool]
"""A moment (ms, UTC), how late what had to follow came (ms), and whether time alone caused it."""


def _latencies(outcome: Outcome) -> list[Late]:
    """By transition: its event accepted, or its moment come, until it was committed."""
    accepted = {record.position: to_ms(record.accept_time) for record in outcome.log}
    found: list[Late] = []
    for record in outcome.records:
        if record.WhichOneof("body") == "transition":
            at = _known_at(record, accepted)
            timed = record.transition.cause.WhichOneof("kind") != "event"
            found.append((at, to_ms(record.record_time) - at, timed))
    return found


def _known_at(record: transition_pb2.Record, accepted: dict[int, int]) -> int:
    cause = record.transition.cause
    at = to_ms(record.transition.effective_time)
    return accepted.get(cause.event.position, at) if cause.WhichOneof("kind") == "event" else at


def _mail_lateness(outcome: Outcome) -> list[Late]:
    """By mail: it was due, and its entry committed, until it arrived."""
    entries = mail_books.entries_of(outcome.records, outcome.log)
    due = {
        message.message_id: max(
            to_ms(message.due_time), to_ms(entries[message.run_id].record.record_time)
        )
        for message in outcome.messages
        if message.run_id in entries
    }
    return [
        (due[name], times[0] - due[name], True)
        for name, times in outcome.mails.items()
        if name in due
    ]


def _add_due_while_away(course: Course, outcome: Outcome, latencies: list[Late]) -> None:
    """Measure how late what was due while nobody could reach Redis was found."""
    timed = [(at, late) for at, late, by_time in latencies if by_time]
    mails = [(at, late) for at, late, _ in _mail_lateness(outcome)]
    for away in course.scene.redis_away:
        for of, moments in (("rule_evaluator", timed), ("delivery", mails)):
            late = [late for at, late in moments if away.began <= at <= away.ended]
            if late:
                name = "due while Redis was away: late by"
                course.scene.figures.add(name, of, max(late) / 1000, alone=away.alone)


def _by_phase(diary: list[Happened], late: list[Late]) -> dict[str, dict[str, float]]:
    """Spreads of lateness by the fault that was at work from the moment until it was done."""
    groups: dict[str, list[float]] = defaultdict(list)
    for at, late_by, _ in late:
        kinds = [
            one.kind for one in diary if one.began <= at + late_by and at <= one.ended + _AFTER_MS
        ]
        groups[_CALM if not kinds else kinds[0] if len(kinds) == 1 else _SEVERAL].append(late_by)
    return {phase: spread(groups[phase]) for phase in sorted(groups)}

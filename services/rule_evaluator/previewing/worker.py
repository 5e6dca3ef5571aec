"""The process of a preview: `python -m hairspring.services.rule_evaluator.previewing.worker`.

It is a process of its own, and a nice one, so that live evaluation goes on beside it. The first
line that it reads is the question, each further one lists profiles; it answers how many events
those had, and after an empty list what it found. It ends when nobody writes to it any more.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import IO

import orjson
from hairspring.contracts.event.v1 import event_log_service_pb2 as log_pb
from hairspring.contracts.event.v1 import event_log_service_pb2_grpc as log_grpc
from hairspring.contracts.event.v1 import event_pb2
from hairspring.definitions import Kind, catalog_from_bodies
from hairspring.engine.events import Event
from hairspring.engine.past import Entry, judged
from hairspring.engine.plan import Plan
from hairspring.engine.preview import Course, Tally, course
from hairspring.engine.simulate import Finished
from hairspring.runtime.client import open_channel
from hairspring.services.rule_evaluator.previewing.question import (
    Body,
    Found,
    Question,
    from_line,
)
from hairspring.wire.inputs import to_entries
from hairspring.wire.times import to_ms

NICENESS = 10
READ_SECONDS = 60.0
#: So few that ingest, which answers live calls meanwhile, is not held up by one.
PAGE = 500


class Worker:
    """Reads the histories of profiles, and judges them by both definitions."""

    def __init__(self, question: Question, stub: log_grpc.EventLogServiceStub) -> None:
        self._question = question
        self._stub = stub
        self._new = _plan(question.new)
        self._old = None if question.old is None else _plan(question.old)
        self._same = question.old is not None and _forms(question.new) == _forms(question.old)
        self._tally = Tally(since=question.since, at=question.at, examples=question.examples)

    async def judge(self, profiles: Sequence[str]) -> int:
        """Judge some profiles, and answer how many events they have."""
        asked = self._question
        records, ends = await self._read(profiles)
        for profile, own in records.items():
            events = judged([*own, *ends], asked.horizon)
            new = self._course(events, self._new)
            old = new if self._same else None
            if self._old is not None and not self._same:
                old = self._course(events, self._old)
            self._tally.add(profile, new, old)
        return sum(len(own) for own in records.values())

    def found(self) -> Found:
        """What all profiles together came to."""
        tally = self._tally
        return Found(
            members=tally.members.count,
            examples=tally.members.first(),
            days=[(day, entered, left) for day, (entered, left) in tally.days.items()],
            before=None if self._old is None else tally.before,
            gained=tally.gained.count,
            gained_examples=tally.gained.first(),
            lost=tally.lost.count,
            lost_examples=tally.lost.first(),
        )

    def _course(self, events: Sequence[Event], plan: Plan) -> Course:
        asked = self._question
        return course(events, plan, asked.segment, at=asked.at, horizon=asked.horizon)

    async def _read(self, profiles: Sequence[str]) -> tuple[dict[str, list[Entry]], list[Finished]]:
        """Read the histories of profiles, and which imports have finished."""
        found: dict[str, list[event_pb2.EventRecord]] = {profile: [] for profile in profiles}
        ends: dict[str, Finished] = {}
        request = log_pb.ListEventsRequest(
            workspace_id=self._question.workspace,
            profile_ids=profiles,
            through_position=self._question.position,
            with_import_ends=True,
            page_size=PAGE,
        )
        while True:
            response = await self._stub.ListEvents(request, timeout=READ_SECONDS)
            for record in response.records:
                if record.WhichOneof("body") == "import_finished":
                    end = Finished(record.import_finished.import_id, to_ms(record.accept_time))
                    ends[end.import_id] = end
                else:
                    found[record.profile_id].append(record)
            if not response.next_page_token:
                entries = {profile: to_entries(records) for profile, records in found.items()}
                return entries, list(ends.values())
            request.page_token = response.next_page_token


def _plan(bodies: Sequence[Body]) -> Plan:
    return catalog_from_bodies((Kind.SEGMENT, *body) for body in bodies).plan()


def _forms(bodies: Sequence[Body]) -> dict[str, str]:
    return {name: form for name, form, _ in bodies}


async def _serve(given: IO[bytes], out: IO[bytes]) -> None:
    question = from_line(given.readline())
    async with open_channel(question.ingest_address, question.token) as channel:
        worker = Worker(question, log_grpc.EventLogServiceStub(channel))
        while line := await asyncio.to_thread(given.readline):
            profiles = orjson.loads(line)
            answer: object = await worker.judge(profiles) if profiles else asdict(worker.found())
            out.write(orjson.dumps(answer) + b"\n")
            out.flush()


def main() -> None:
    """Answer until nobody asks any more."""
    os.nice(NICENESS)
    asyncio.run(_serve(sys.stdin.buffer, sys.stdout.buffer))


if __name__ == "__main__":
    main()

"""The checker of what delivery did: each entry has its run, each mail went out once or never."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.flow.v1 import flow_service_pb2, flow_service_pb2_grpc, run_pb2
from hairspring.contracts.message.v1 import message_pb2, message_service_pb2
from hairspring.contracts.message.v1.message_service_pb2_grpc import MessageServiceStub
from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.services.delivery.runs import run_id_of
from hairspring.wire.times import to_ms

from tests.chaos import shop

_PAGE = 10_000
_CALL_SECONDS = 10.0
SENT, UNKNOWN = message_pb2.MESSAGE_STATUS_SENT, message_pb2.MESSAGE_STATUS_UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry that sets off a flow, and when it was known that it had ended (ms, UTC)."""

    record: transition_pb2.Record
    over_at: int | None


async def runs_of(stub: flow_service_pb2_grpc.FlowServiceStub) -> list[run_pb2.Run]:
    """Every run there is."""
    found: list[run_pb2.Run] = []
    request = flow_service_pb2.ListRunsRequest(page_size=_PAGE)
    while True:
        answer = await stub.ListRuns(request, timeout=_CALL_SECONDS, wait_for_ready=True)
        found.extend(answer.runs)
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


async def messages_of(stub: MessageServiceStub) -> list[message_pb2.Message]:
    """Every message there is."""
    found: list[message_pb2.Message] = []
    request = message_service_pb2.ListMessagesRequest(page_size=_PAGE)
    while True:
        answer = await stub.ListMessages(request, timeout=_CALL_SECONDS, wait_for_ready=True)
        found.extend(answer.messages)
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


def entries_of(
    records: Sequence[transition_pb2.Record], log: Sequence[event_pb2.EventRecord]
) -> dict[str, Entry]:
    """The entries that set off flows, by the id of the run that each sets off."""
    flow_of = {segment: flow for flow, segment in shop.FLOWS.items()}
    accepted = {record.position: to_ms(record.accept_time) for record in log}
    inside: dict[tuple[str, str], str] = {}
    found: dict[str, Entry] = {}
    for record in records:
        transition = record.transition
        if record.WhichOneof("body") != "transition" or transition.segment not in flow_of:
            continue
        place = (record.profile_id, transition.segment)
        if transition.change == transition_pb2.CHANGE_ENTERED:
            flow = flow_of[transition.segment]
            run_id = run_id_of(record.workspace_id, record.profile_id, flow, record.position)
            found[run_id] = Entry(record=record, over_at=None)
            inside[place] = run_id
        elif place in inside:
            run_id, at = inside.pop(place), to_ms(transition.effective_time)
            if transition.cause.WhichOneof("kind") == "event":
                at = accepted.get(transition.cause.event.position, at)
            found[run_id] = replace(found[run_id], over_at=at)
    return found


def problems(
    entries: Mapping[str, Entry],
    judged: int,
    runs: Sequence[run_pb2.Run],
    messages: Sequence[message_pb2.Message],
    arrived: Mapping[str, Sequence[int]],
) -> list[str]:
    """What is wrong; the runs of entries up to the position `judged` must have ended.

    `arrived` tells when mails came in (ms, UTC), by the id of their message.
    """
    found: list[str] = []
    by_id = {run.run_id: run for run in runs}
    due = {run_id for run_id, entry in entries.items() if entry.record.position <= judged}
    if missing := due - by_id.keys():
        found.append(f"{len(missing)} entries have set off no run")
    if invented := by_id.keys() - entries.keys():
        found.append(f"{len(invented)} runs have no entry: {sorted(invented)[:3]}")
    if len(by_id) != len(runs):
        found.append("a run is there twice")
    message_of = {message.run_id: message for message in messages}
    if len(message_of) != len(messages):
        found.append("a run has two messages for one step")
    for run_id in by_id.keys() & due:
        said = _of_run(entries[run_id], by_id[run_id], message_of.get(run_id), arrived)
        found.extend(f"run {run_id} of {by_id[run_id].profile_id}: {one}" for one in said)
    known = {message.message_id for message in messages}
    if strangers := arrived.keys() - known:
        found.append(f"{len(strangers)} mails belong to no message")
    return found


def _of_run(
    entry: Entry,
    run: run_pb2.Run,
    message: message_pb2.Message | None,
    arrived: Mapping[str, Sequence[int]],
) -> list[str]:
    mails = arrived.get(message.message_id, ()) if message is not None else ()
    status = message.status if message is not None else message_pb2.MESSAGE_STATUS_SKIPPED
    name = message_pb2.MessageStatus.Name(status)
    found = []
    if run.status != run_pb2.RUN_STATUS_ENDED:
        found.append(f"it has not ended but is {run_pb2.RunStatus.Name(run.status)} {run.reason}")
    if len(mails) > 1:
        found.append(f"its mail went out {len(mails)} times")
    if status == SENT and not mails:
        found.append("its mail is said to be sent, and did not arrive")
    if status not in (SENT, UNKNOWN):
        if mails:
            found.append(f"its mail went out, and is said to be {name}")
        if entry.over_at is None:
            reason = message.reason if message is not None else run.reason
            found.append(f"its mail had to be sent, and is {name}: {reason}")
    if message is not None and entry.over_at is not None and mails:
        due = to_ms(message.due_time)
        if entry.over_at < due <= mails[0]:
            found.append(f"its mail went out although she had left {due - entry.over_at} ms before")
    return found


def counted(messages: Sequence[message_pb2.Message]) -> dict[str, int]:
    """How many messages stand how."""
    prefix = "MESSAGE_STATUS_"
    names = (message_pb2.MessageStatus.Name(message.status) for message in messages)
    return dict(sorted(Counter(name.removeprefix(prefix).lower() for name in names).items()))

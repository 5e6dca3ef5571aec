"""`hairspring import`: history from a file of JSON lines in the Segment spec."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import orjson

from hairspring.cli import calls, import_wait, segment_spec
from hairspring.cli.addresses import address_option
from hairspring.cli.event_files import LONGEST_LINE, EventFile
from hairspring.cli.import_calls import BATCH, BATCH_BYTES, ImportCalls, Line
from hairspring.cli.output import console, format_option, say, write_line
from hairspring.cli.read_ahead import read_ahead
from hairspring.cli.reject_file import RejectFile
from hairspring.contracts.event.v1 import event_pb2 as pb
from hairspring.contracts.event.v1 import event_service_pb2 as service_pb
from hairspring.wire.times import from_ms

_LINES_IN_ID = 100
_REMARKS_TOLD = 10
_BROKEN_OFF = (
    "The import broke off: run the same again, and it goes on. If nobody does, what has gone in "
    "counts in ten minutes."
)


@dataclass(slots=True)
class _Tally:
    """What became of the lines so far."""

    read: int = 0
    accepted: int = 0
    repeated: int = 0
    deleted: int = 0
    remarks: int = 0
    profiles: set[str] = field(default_factory=set)


@click.command("import")
@click.argument("file", metavar="FILE|-")
@click.option("--with-flows", is_flag=True, help="Let what follows set off flows, as if live.")
@click.option("--id", "import_id", help="Names the import. Default: made from its first lines.")
@click.option("--rejects", metavar="FILE", help="Where the lines go that cannot be taken.")
@click.option("--no-wait", is_flag=True, help="Do not wait until all of it has been judged.")
@format_option
@address_option
def import_(
    file: str,
    with_flows: bool,
    import_id: str | None,
    rejects: str | None,
    no_wait: bool,
    output_format: str,
    address: str | None,
) -> None:
    """Import history from a file of JSON lines.

    Lines are in the Segment spec: type (track, identify, page, screen), event, userId or
    anonymousId, timestamp, messageId, properties, traits. The file may be gzipped. What cannot be
    taken goes to FILE.rejects.jsonl with its line number and the reason. An import that broke off
    is simply run again.
    """
    place = Path(rejects or f"{'import' if file == '-' else file}.rejects.jsonl")
    with EventFile(file) as source, RejectFile(place) as rejected:
        calls.run(
            _import(source, rejected, import_id, with_flows, not no_wait, output_format, address)
        )
    if rejected.count:
        say(f"Lines that were not taken: {rejected.path}")


async def _import(
    source: EventFile,
    rejected: RejectFile,
    import_id: str | None,
    with_flows: bool,
    wait: bool,
    output_format: str,
    address: str | None,
) -> None:
    tally = _Tally()

    def answered(line: Line, result: service_pb.EventResult) -> None:
        if result.status == service_pb.EVENT_STATUS_REFUSED:
            rejected.add(line.number, result.problem, line.text)
            return
        if result.status == service_pb.EVENT_STATUS_DELETED:  # Not even among the rejects.
            tally.deleted += 1
            return
        repeated = result.status == service_pb.EVENT_STATUS_REPEATED
        tally.repeated += repeated
        tally.accepted += not repeated
        tally.profiles.add(line.event.profile_id or line.event.anonymous_id)

    async with calls.open_service("ingest", address) as channel:
        sender = ImportCalls(channel, answered)
        try:
            with _progress(source) as advance:
                async for chunk in read_ahead(_chunks(source)):
                    if batch := _batch(chunk, rejected, tally):
                        if not sender.import_id:
                            sender.name(import_id or _stable_id(batch))
                        await sender.send(batch)
                    advance()
                position = await sender.finish(with_flows=with_flows) if sender.import_id else 0
                advance()
        except BaseException:
            await sender.abandon()
            if sender.import_id:
                say(_BROKEN_OFF)
            raise
    evaluated = wait and await import_wait.until_evaluated(sorted(tally.profiles))
    _tell(tally, rejected, sender.import_id, position, evaluated, output_format)
    if not tally.profiles and rejected.count:
        raise click.ClickException("Nothing was taken.")


def _chunks(source: EventFile) -> Iterator[list[tuple[int, bytes]]]:
    """Read the file in as many numbered lines as go into one batch."""
    chunk: list[tuple[int, bytes]] = []
    size = 0
    for number, text in source.lines():
        chunk.append((number, text))
        size += len(text)
        if len(chunk) >= BATCH or size >= BATCH_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _batch(chunk: Sequence[tuple[int, bytes]], rejected: RejectFile, tally: _Tally) -> list[Line]:
    """Turn lines into events; what is none goes to the rejects."""
    batch: list[Line] = []
    for number, text in chunk:
        tally.read += 1
        event = _read(number, text, tally)
        if isinstance(event, segment_spec.Unreadable):
            rejected.add(number, event.problem, text)
        else:
            batch.append(Line(number=number, text=text, event=event))
    return batch


def _read(number: int, text: bytes, tally: _Tally) -> pb.Event | segment_spec.Unreadable:
    if len(text) >= LONGEST_LINE:
        return segment_spec.Unreadable(problem=f"longer than {LONGEST_LINE:,} bytes")
    event = segment_spec.read(text)
    if isinstance(event, segment_spec.ImportFinished):
        return segment_spec.Unreadable(problem="the mark of another import; not an event")
    if isinstance(event, segment_spec.Merged):
        return segment_spec.Unreadable(
            problem="that two profiles became one is no event; `hairspring alias` makes it so"
        )
    if isinstance(event, segment_spec.Event):
        _remark(number, event.remark, tally)
        return as_contract(event)
    return event


def as_contract(event: segment_spec.Event) -> pb.Event:
    """Write an event that was read as the contract has it."""
    return pb.Event(
        type=pb.EventType.Value(f"EVENT_TYPE_{event.type.upper()}"),
        message_id=event.message_id,
        profile_id="" if event.anonymous else event.profile,
        anonymous_id=event.profile if event.anonymous else "",
        name=event.name,
        occur_time=from_ms(event.time),
        properties_json=orjson.dumps(event.properties),
        context_json=orjson.dumps(event.context) if event.context else b"",
    )


def _remark(number: int, remark: str, tally: _Tally) -> None:
    if not remark:
        return
    tally.remarks += 1
    if tally.remarks <= _REMARKS_TOLD:
        say(f"line {number}: {remark}")


def _stable_id(batch: Sequence[Line]) -> str:
    """Name an import by its first lines, so that the same again continues it, from anywhere.

    Under another name, history that had gone in before the import broke off would count only ten
    minutes later.
    """
    told = hashlib.blake2b(digest_size=8)
    for line in batch[:_LINES_IN_ID]:
        told.update(line.text.strip() + b"\n")
    return f"lines-{told.hexdigest()}"


@contextmanager
def _progress(source: EventFile) -> Iterator[Callable[[], None]]:
    """Show a bar on the standard error while that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(error=True), transient=True) as progress:
        task = progress.add_task(Path(source.name).name, total=source.size or None)
        yield lambda: progress.update(task, completed=source.bytes_read)


def _tell(
    tally: _Tally,
    rejected: RejectFile,
    import_id: str,
    position: int,
    evaluated: bool,
    output_format: str,
) -> None:
    if output_format == "jsonl":
        write_line(
            {
                "import_id": import_id,
                "read": tally.read,
                "accepted": tally.accepted,
                "repeated": tally.repeated,
                "deleted": tally.deleted,
                "rejected": rejected.count,
                "profiles": len(tally.profiles),
                "position": position,
                "evaluated": evaluated,
            }
        )
        return
    out = console()
    counts = [f"{tally.accepted:,} accepted"]
    if tally.repeated:
        counts.append(f"{tally.repeated:,} recorded before")
    if tally.deleted:
        counts.append(f"{tally.deleted:,} of profiles that were deleted since, and left out")
    if rejected.count:
        counts.append(f"[red]{rejected.count:,} not taken[/]")
    out.print(f"[bold]{tally.read:,}[/] lines read: {', '.join(counts)}.", markup=True)
    judged = "judged" if evaluated else "being judged"
    out.print(f"{len(tally.profiles):,} profiles touched, {judged}.")

"""`hairspring import`: history from a file of JSON lines in the Segment spec."""

from __future__ import annotations

import hashlib
import sys
import uuid
from collections.abc import Callable, Iterator
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
from hairspring.cli.rejects import Rejects
from hairspring.contracts.event.v1 import event_pb2 as pb
from hairspring.contracts.event.v1 import event_service_pb2 as service_pb
from hairspring.wire.times import from_ms

_FIRST_BYTES = 64 * 1024
_REMARKS_TOLD = 10


@dataclass(slots=True)
class _Tally:
    """What became of the lines so far."""

    read: int = 0
    accepted: int = 0
    repeated: int = 0
    remarks: int = 0
    profiles: set[str] = field(default_factory=set)


@click.command("import")
@click.argument("file", metavar="FILE|-")
@click.option("--with-flows", is_flag=True, help="Let what follows set off flows, as if live.")
@click.option("--id", "import_id", help="Names the import. Default: made from the file.")
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
    with EventFile(file) as source, Rejects(place) as rejected:
        name = import_id or _stable_id(file)
        calls.run(_import(source, rejected, name, with_flows, not no_wait, output_format, address))
    if rejected.count:
        say(f"Lines that were not taken: {rejected.path}")


async def _import(
    source: EventFile,
    rejected: Rejects,
    import_id: str,
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
        repeated = result.status == service_pb.EVENT_STATUS_REPEATED
        tally.repeated += repeated
        tally.accepted += not repeated
        tally.profiles.add(line.event.profile_id)

    async with calls.open_service("ingest", address) as channel:
        sender = ImportCalls(channel, import_id, answered)
        try:
            with _progress(source) as advance:
                for batch in _batches(source, rejected, tally):
                    await sender.send(batch)
                    advance()
                position = await sender.finish(with_flows=with_flows) if sender.begun else 0
                advance()
        except BaseException:
            await sender.abandon()
            raise
    evaluated = wait and await import_wait.until_evaluated(sorted(tally.profiles))
    _tell(tally, rejected, sender.import_id, position, evaluated, output_format)
    if not tally.profiles and rejected.count:
        raise click.ClickException("Nothing was taken.")


def _batches(source: EventFile, rejected: Rejects, tally: _Tally) -> Iterator[list[Line]]:
    """Read the file in batches of events; what is none goes to the rejects."""
    batch: list[Line] = []
    size = 0
    for number, text in source.lines():
        tally.read += 1
        event = _read(number, text, tally)
        if isinstance(event, segment_spec.Unreadable):
            rejected.add(number, event.problem, text)
            continue
        batch.append(Line(number=number, text=text, event=event))
        size += len(text)
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read(number: int, text: bytes, tally: _Tally) -> pb.Event | segment_spec.Unreadable:
    if len(text) >= LONGEST_LINE:
        return segment_spec.Unreadable(problem=f"longer than {LONGEST_LINE:,} bytes")
    event = segment_spec.read(text)
    if isinstance(event, segment_spec.ImportFinished):
        return segment_spec.Unreadable(problem="the mark of another import; not an event")
    if isinstance(event, segment_spec.Event):
        _remark(number, event.remark, tally)
        return as_contract(event)
    return event


def as_contract(event: segment_spec.Event) -> pb.Event:
    """Write an event that was read as the contract has it."""
    return pb.Event(
        type=pb.EventType.Value(f"EVENT_TYPE_{event.type.upper()}"),
        message_id=event.message_id,
        profile_id=event.profile,
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


def _stable_id(file: str) -> str:
    """Name the import of a file so that the same file run again continues it."""
    if file == "-":
        return f"stdin-{uuid.uuid4().hex[:16]}"
    path = Path(file).resolve()
    with path.open("rb") as content:
        start = content.read(_FIRST_BYTES)
    told = f"{path}\0{path.stat().st_size}\0".encode("utf-8", "surrogateescape") + start
    return f"file-{hashlib.blake2b(told, digest_size=8).hexdigest()}"


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
    rejected: Rejects,
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
    if rejected.count:
        counts.append(f"[red]{rejected.count:,} not taken[/]")
    out.print(f"[bold]{tally.read:,}[/] lines read: {', '.join(counts)}.", markup=True)
    judged = "judged" if evaluated else "being judged"
    out.print(f"{len(tally.profiles):,} profiles touched, {judged}.")

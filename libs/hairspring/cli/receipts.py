"""The receipt of a deletion, as a table or a JSON line."""

from __future__ import annotations

from typing import Any

from hairspring.cli import times
from hairspring.cli.output import console, printable, write_line
from hairspring.cli.sheet import Column, Sheet
from hairspring.contracts.privacy.v1 import privacy_pb2 as pb
from hairspring.wire.times import iso, ms_of, to_ms

_COLUMNS = (
    Column(title="service", style="bold"),
    Column(title="state"),
    Column(title="erased", detail=True),
    Column(title="done", style="dim"),
)


def done(deletion: pb.Deletion) -> bool:
    """Tell whether every service is done."""
    return all(part.state == pb.DELETION_STATE_DONE for part in deletion.parts)


def progress(deletion: pb.Deletion) -> str:
    """Say in one line how far each service is."""
    return ", ".join(f"{part.service}: {_state(part)}" for part in deletion.parts)


def tell(deletion: pb.Deletion, output_format: str) -> None:
    """Print it."""
    if output_format == "jsonl":
        write_line(_line(deletion))
        return
    whose = printable(deletion.profile_id) or "a profile whose id is forgotten"
    at = times.to_local(to_ms(deletion.delete_time))
    console().print(f"{whose} was deleted at {at}", markup=False)
    console().print(f"receipt {printable(deletion.deletion_id)}", markup=False)
    with Sheet(output_format, _COLUMNS, empty="") as sheet:
        for part in deletion.parts:
            sheet.add(_part(part), _cells(part))


def _line(deletion: pb.Deletion) -> dict[str, Any]:
    return {
        "deletion_id": deletion.deletion_id,
        "profile": deletion.profile_id,
        "deleted_at": iso(to_ms(deletion.delete_time)),
        "position": deletion.position,
        "done": done(deletion),
        "services": [_part(part) for part in deletion.parts],
    }


def _part(part: pb.DeletionPart) -> dict[str, Any]:
    at = ms_of(part, "done_time")
    return {
        "service": part.service,
        "state": _state(part),
        "erased": {one.kind: one.count for one in part.erased},
        "done_at": None if at is None else iso(at),
    }


def _cells(part: pb.DeletionPart) -> list[str]:
    at = ms_of(part, "done_time")
    return [
        part.service,
        _state(part),
        ", ".join(f"{one.count:,} {one.kind}" for one in part.erased) or "nothing",
        "" if at is None else times.to_local(at),
    ]


def _state(part: pb.DeletionPart) -> str:
    return pb.DeletionState.Name(part.state).removeprefix("DELETION_STATE_").lower()

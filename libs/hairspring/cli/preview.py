"""`hairspring preview`: who would be in a segment, before anything is applied."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import click
import grpc.aio

from hairspring.cli import calls, previewed
from hairspring.cli.addresses import address_option
from hairspring.cli.apply import counted, files_option, read_manifests, tell_problems
from hairspring.cli.output import console, format_option, say, write_line
from hairspring.contracts.preview.v1 import preview_pb2 as pb
from hairspring.contracts.preview.v1 import preview_service_pb2 as service_pb
from hairspring.contracts.preview.v1.preview_service_pb2_grpc import PreviewServiceStub
from hairspring.definitions import durations

if TYPE_CHECKING:
    from rich.progress import Progress


@click.command()
@files_option
@click.option("--segment", default="", help="Which one, where the files change several.")
@click.option(
    "--since", default="30d", metavar="DURATION", help="How far back to count; default 30d."
)
@click.option(
    "--examples",
    type=click.IntRange(1, 1_000),
    default=20,
    metavar="N",
    help="The most profiles to name in each list; default 20.",
)
@format_option
@address_option
def preview(
    places: tuple[str, ...],
    segment: str,
    since: str,
    examples: int,
    output_format: str,
    address: str | None,
) -> None:
    """Tell who would be in a segment, before anything is applied.

    How many now, how many would have entered and left on each day, and who; for a segment that is
    in force, who would be gained and lost. Judged by the recorded history in the order of time.
    Nothing is applied. Ctrl-C ends it.
    """
    try:
        back = durations.parse(since)
    except durations.BadDuration as error:
        raise click.UsageError(f"--since: {error}.") from error
    request = service_pb.PreviewSegmentRequest(
        manifests=read_manifests(places), segment=segment, most_examples=examples
    )
    request.since.FromMilliseconds(back)
    calls.run(_preview(request, output_format, address))


async def _preview(
    request: service_pb.PreviewSegmentRequest, output_format: str, address: str | None
) -> None:
    async with calls.open_service("evaluator", address) as channel:
        found = await _followed(channel, request)
    if isinstance(found, pb.PreviewProblems):
        tell_problems(found.problems)
        say(f"Nothing can be previewed: {counted(len(found.problems), 'problem')}.")
        sys.exit(1)
    if output_format == "jsonl":
        for line in previewed.as_lines(found):
            write_line(line)
    else:
        console().print(previewed.as_text(found, console().width))


async def _followed(
    channel: grpc.aio.Channel, request: service_pb.PreviewSegmentRequest
) -> pb.Preview | pb.PreviewProblems:
    """Follow the stream to its end, showing how far it has come."""
    answer: service_pb.PreviewSegmentResponse
    with _shown() as show:
        async for answer in PreviewServiceStub(channel).PreviewSegment(request):
            kind = answer.WhichOneof("body")
            if kind == "progress":
                show(answer.progress)
            elif kind == "problems":
                return answer.problems
            elif kind == "preview":
                return answer.preview
    raise click.ClickException("The preview was broken off; ask again.")


class _Show(Protocol):
    def __call__(self, progress: pb.PreviewProgress) -> None: ...


@contextmanager
def _shown() -> Iterator[_Show]:
    """Show progress at a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda progress: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns: Any = (
        TextColumn("judging profiles"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(error=True), transient=True) as bar:
        yield _bar(bar)


def _bar(bar: Progress) -> _Show:
    task = bar.add_task("judging", total=None)

    def show(progress: pb.PreviewProgress) -> None:
        bar.update(task, total=progress.all_profiles, completed=progress.profiles)

    return show

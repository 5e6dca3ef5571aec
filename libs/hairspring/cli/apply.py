"""`hairspring apply`: puts definitions in force, all or none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from hairspring.cli import calls, filling
from hairspring.cli.addresses import address_option
from hairspring.cli.output import format_option, say
from hairspring.cli.sheet import Column, Sheet
from hairspring.contracts.definition.v1 import definition_pb2 as pb
from hairspring.contracts.definition.v1 import definition_service_pb2 as service_pb
from hairspring.contracts.definition.v1.definition_service_pb2_grpc import DefinitionServiceStub
from hairspring.definitions.files import files_in

_LARGEST_BYTES = 1024 * 1024
#: How long the answer may wait; filling that takes longer is watched from then on.
_FIRST_WAIT_MS = 3_000
KINDS = {
    pb.DEFINITION_KIND_SEGMENT: "segment",
    pb.DEFINITION_KIND_FLOW: "flow",
    pb.DEFINITION_KIND_TEMPLATE: "template",
}
CHANGES = {
    pb.CHANGE_TYPE_ADDED: "added",
    pb.CHANGE_TYPE_CHANGED: "changed",
    pb.CHANGE_TYPE_UNCHANGED: "unchanged",
    pb.CHANGE_TYPE_REMOVED: "removed",
}
_COLUMNS = (
    Column(title="kind", style="cyan"),
    Column(title="name", style="bold"),
    Column(title="change"),
)


P = ParamSpec("P")
R = TypeVar("R")


def files_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add `-f`, which names files and directories of definitions."""
    return click.option(
        "-f",
        "--file",
        "places",
        multiple=True,
        required=True,
        metavar="FILE|DIR|-",
        help="A file of definitions, or a directory of them; may be repeated.",
    )(command)


@click.command()
@files_option
@click.option("--dry-run", is_flag=True, help="Only check, and tell what would change.")
@click.option("--prune", is_flag=True, help="Remove what the files do not name.")
@click.option(
    "--with-flows",
    is_flag=True,
    help="Let those who are in a new or changed segment at once set off flows.",
)
@click.option(
    "--wait/--no-wait",
    default=True,
    help="Whether to wait until new and changed segments are complete. Default: wait.",
)
@format_option
@address_option
def apply(
    places: tuple[str, ...],
    dry_run: bool,
    prune: bool,
    with_flows: bool,
    wait: bool,
    output_format: str,
    address: str | None,
) -> None:
    """Put segments, flows and templates in force: all of them, or none where one is wrong.

    A new or changed segment is filled from the recorded history first, and then complete at once.
    """
    request = service_pb.ApplyDefinitionsRequest(
        manifests=read_manifests(places), dry_run=dry_run, prune=prune, with_flows=with_flows
    )
    request.wait.FromMilliseconds(_FIRST_WAIT_MS if wait else 0)
    calls.run(_apply(request, wait, output_format, address))


def read_manifests(places: tuple[str, ...]) -> list[pb.Manifest]:
    """Read the files, and those in directories by name, each once.

    Raises `ClickException` with everything that cannot be read.
    """
    manifests: list[pb.Manifest] = []
    problems: list[str] = []
    for path in _paths(places):
        try:
            manifests.append(_read(path))
        except click.ClickException as error:
            problems.append(error.message)
    if problems:
        raise click.ClickException("\n".join(problems))
    if not manifests:
        raise click.ClickException(f"There is no .yaml file in {', '.join(places)}.")
    return manifests


async def _apply(
    request: service_pb.ApplyDefinitionsRequest,
    wait: bool,
    output_format: str,
    address: str | None,
) -> None:
    async with calls.open_service("evaluator", address) as channel:
        answer = await DefinitionServiceStub(channel).ApplyDefinitions(
            request, timeout=calls.DEADLINE_SECONDS
        )
        _tell(answer, request.dry_run, output_format)
        if wait and answer.filling_segments:
            await filling.wait_until_active(channel, answer.filling_segments)
        elif answer.filling_segments:
            filling.tell_filling(answer.filling_segments)
    if wait and answer.waiting_shards and not answer.filling_segments:
        say(
            f"In force as plan {answer.plan_version}, but {len(answer.waiting_shards)} shards do "
            "not judge by it yet; they will once their rule evaluator is back."
        )


def _tell(answer: service_pb.ApplyDefinitionsResponse, dry_run: bool, output_format: str) -> None:
    if answer.problems:
        tell_problems(answer.problems)
        say(f"Nothing was applied: {counted(len(answer.problems), 'problem')}.")
        sys.exit(1)
    with Sheet(output_format, _COLUMNS, empty="Nothing to apply.") as sheet:
        for change in answer.changes:
            kind, what = KINDS.get(change.kind, ""), CHANGES.get(change.type, "")
            line = {"kind": kind, "name": change.name, "change": what}
            sheet.add(line, [kind, change.name, what])
    if dry_run:
        say("Nothing was applied: this was a dry run.")


def tell_problems(problems: object) -> None:
    """Print each problem as file:line:column: path: what."""
    for problem in problems:  # type: ignore[attr-defined]
        place = problem.manifest_path
        if problem.line:
            place += f":{problem.line}:{max(problem.column, 1)}"
        where = f"{problem.field_path}: " if problem.field_path else ""
        say(f"{place}: {where}{problem.description}")


def _paths(places: tuple[str, ...]) -> list[Path]:
    found: dict[Path, Path] = {}
    for path in map(Path, places):
        for file in [path] if str(path) == "-" else files_in(path):
            found.setdefault(file.absolute(), file)
    return list(found.values())


def _read(path: Path) -> pb.Manifest:
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > _LARGEST_BYTES:
        raise click.ClickException(f"{path} is larger than 1 MB: split it.")
    try:
        return pb.Manifest(path=str(path), text=content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise click.ClickException(f"{path}:{line}:1: not text in UTF-8.") from error


def counted(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number} {noun}" + ("" if number == 1 else "s")

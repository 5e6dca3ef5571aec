"""`hairspring diff`: what applying would change, as YAML line by line."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator

import click

from hairspring.cli import calls
from hairspring.cli.addresses import address_option
from hairspring.cli.apply import (
    CHANGES,
    KINDS,
    counted,
    files_option,
    read_manifests,
    tell_problems,
)
from hairspring.cli.output import console, say, text_format_option, write_line
from hairspring.contracts.definition.v1 import definition_pb2 as pb
from hairspring.contracts.definition.v1 import definition_service_pb2 as service_pb
from hairspring.contracts.definition.v1.definition_service_pb2_grpc import DefinitionServiceStub

_CHANGED, _FAILED = 1, 2
_STYLES = {"+": "green", "-": "red", "@": "cyan"}


@click.command()
@files_option
@click.option("--prune", is_flag=True, help="As if what the files do not name were removed.")
@text_format_option(piped="jsonl")
@address_option
def diff(places: tuple[str, ...], prune: bool, output_format: str, address: str | None) -> None:
    """Show what applying would change, without applying anything.

    Ends with 0 if nothing would change, with 1 if anything would, and with 2 if that cannot be
    said, since a definition is wrong or no service answers.
    """
    try:
        request = service_pb.ApplyDefinitionsRequest(
            manifests=read_manifests(places), dry_run=True, prune=prune
        )
        calls.run(_diff(request, output_format, address))
    except click.ClickException as error:
        raise _Failed(error.message) from None


class _Failed(click.ClickException):
    """What could not be compared: to be told from a difference."""

    exit_code = _FAILED


async def _diff(
    request: service_pb.ApplyDefinitionsRequest, output_format: str, address: str | None
) -> None:
    async with calls.open_service("evaluator", address) as channel:
        answer = await DefinitionServiceStub(channel).ApplyDefinitions(
            request, timeout=calls.DEADLINE_SECONDS
        )
    if answer.problems:
        tell_problems(answer.problems)
        say(f"Nothing can be compared: {counted(len(answer.problems), 'problem')}.")
        sys.exit(_FAILED)
    found = [one for one in answer.changes if one.type != pb.CHANGE_TYPE_UNCHANGED]
    for change in found:
        if output_format == "jsonl":
            write_line(_line(change))
        else:
            _show(change)
    sys.stdout.flush()
    say(_summary(list(answer.changes)))
    sys.exit(_CHANGED if found else 0)


def lines(change: pb.DefinitionChange) -> Iterator[str]:
    """The unified diff of a change, line by line."""
    name = f"{KINDS[change.kind]}/{change.name}"
    yield from difflib.unified_diff(
        change.old_source.splitlines(),
        change.new_source.splitlines(),
        fromfile=f"{name} in force" if change.old_source else "nothing",
        tofile=f"{name} as given" if change.new_source else "nothing",
        lineterm="",
    )


def _line(change: pb.DefinitionChange) -> dict[str, str]:
    return {
        "kind": KINDS[change.kind],
        "name": change.name,
        "change": CHANGES[change.type],
        "diff": "".join(f"{line}\n" for line in lines(change)),
    }


def _show(change: pb.DefinitionChange) -> None:
    from rich.text import Text

    printer = console()
    title = f"{KINDS[change.kind]} {change.name} would be {CHANGES[change.type]}"
    printer.print(Text(title, style="bold"), soft_wrap=True)
    for number, line in enumerate(lines(change)):
        style = "bold" if number < 2 else _STYLES.get(line[:1], "")
        printer.print(Text(line, style=style), soft_wrap=True)
    printer.print()


def _summary(changes: list[pb.DefinitionChange]) -> str:
    counts = {
        word: sum(change.type == number for change in changes) for number, word in CHANGES.items()
    }
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    if all(change.type == pb.CHANGE_TYPE_UNCHANGED for change in changes):
        return f"Applying would change nothing: {said or 'there is nothing'}."
    return f"Applying would come to: {said}."

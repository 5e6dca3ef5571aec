"""The group of all commands; each is loaded only when it is called, so that help is fast."""

from __future__ import annotations

import difflib
import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import click


class _Place(NamedTuple):
    """Where a command lives, and its line in the help."""

    module: str
    name: str
    summary: str


_COMMANDS = {
    "up": _Place("up", "up", "Run everything on this machine, until Ctrl-C."),
    "demo": _Place("demo.command", "demo", "Watch a small shop live for a minute."),
    "apply": _Place("apply", "apply", "Put segments, flows and templates in force."),
    "diff": _Place("diff", "diff", "Show what applying would change."),
    "preview": _Place(
        "preview", "preview", "Tell who would be in a segment, before it is applied."
    ),
    "test": _Place("testing", "test", "Run stories: what should come of events, on a fake clock."),
    "get": _Place(
        "get", "get", "List segments, flows or templates, or print one as it was written."
    ),
    "track": _Place("track", "track", "Record one event."),
    "identify": _Place("identify", "identify", "Set traits of a profile."),
    "alias": _Place("alias", "alias", "Make two ids one person."),
    "tags": _Place("tags", "tags", "Attach tags to a profile, or take them off."),
    "import": _Place("importing", "import_", "Import history from a file of JSON lines."),
    "simulate": _Place("simulate", "simulate", "Judge a file of events with no service at all."),
    "transitions": _Place("transitions", "transitions", "List or follow who entered and left."),
    "members": _Place("members", "members", "List who is in a segment."),
    "explain": _Place("explain", "explain", "Tell why a profile is in a segment, or is not."),
    "profiles": _Place(
        "profiles", "profiles", "Write out all that is known of somebody, or delete it."
    ),
    "quarantine": _Place(
        "quarantine", "quarantine", "Tell what could not be evaluated, and have it tried again."
    ),
    "rejects": _Place(
        "rejects", "rejects", "Tell what could not be accepted, and have it tried again."
    ),
    "runs": _Place("runs", "runs", "List the runs of flows."),
    "messages": _Place("messages", "messages", "List what was sent, and what was not and why."),
    "shards": _Place("shards", "shards", "Tell which evaluator works on which shards."),
    "keys": _Place("keys", "keys", "Make, list and revoke the keys to workspaces."),
    "export": _Place("export", "export", "Write out what is recorded."),
    "completion": _Place("completion", "completion", "Print the completion script of a shell."),
}


class _LazyGroup(click.Group):
    """A group that knows its commands by name and loads one when it is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Name the commands in the order in which one meets them."""
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Load one command."""
        place = _COMMANDS.get(name)
        if place is None:
            return None
        module = importlib.import_module(f"hairspring.cli.{place.module}")
        command: click.Command = getattr(module, place.name)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.summary) for name, place in _COMMANDS.items()])

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant; an unknown one is answered with the nearest names."""
        if args[0] not in _COMMANDS and not args[0].startswith("-"):
            near = " or ".join(difflib.get_close_matches(args[0], _COMMANDS, n=2))
            hint = f" Did you mean {near}?" if near else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", context)
        return super().resolve_command(context, args)


def _version() -> str:
    try:
        return version("hairspring")
    except PackageNotFoundError:
        return "unknown"


@click.command(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="A first look: hairspring demo. To try by hand: hairspring up, in a second terminal "
    "hairspring apply -f FILE, hairspring track EVENT --profile ID, hairspring transitions.",
)
@click.version_option(_version(), prog_name="hairspring")
def main() -> None:
    """Keep every customer in exactly the right segments, and act on it."""


if __name__ == "__main__":
    main()

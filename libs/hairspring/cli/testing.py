"""`hairspring test`: runs stories about definitions, with no service and no clock."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from hairspring.cli.output import console, say, text_format_option, write_line
from hairspring.definitions import BadDefinitions
from hairspring.stories import Result, Sign, find_files, junit, read_file, run
from hairspring.wire.times import iso

_STYLES = {Sign.BOTH: "dim", Sign.MISSING: "red", Sign.UNEXPECTED: "green"}


@click.command()
@click.argument("places", nargs=-1, required=True, metavar="FILE|DIR...")
@click.option(
    "--junit",
    "junit_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write a report in JUnit's XML, which continuous integration reads.",
)
@text_format_option(piped="text")
def test(places: tuple[str, ...], junit_path: Path | None, output_format: str) -> None:
    """Run stories: what should come of events, on a fake clock.

    A story is a document of `kind: Story` in a file named *.story.yaml; in a directory, all of them
    are run. Ends with 1 where anything came otherwise, or a file cannot be read.
    """
    report = _Report()
    for path in _files(places):
        try:
            stories = read_file(path)
        except BadDefinitions as error:
            report.errors[str(path)] = [str(problem) for problem in error.problems]
            _tell_unreadable(path, report.errors[str(path)], output_format)
            continue
        for story in stories:
            result = run(story)
            report.results.append(result)
            _tell(result, output_format)
    if junit_path is not None:
        _write(junit_path, junit(report.results, report.errors))
    say(report.summary)
    sys.exit(0 if report.passed else 1)


@dataclass(slots=True)
class _Report:
    """What all stories came to, and the problems of the files that could not be read, by path."""

    results: list[Result] = field(default_factory=list)
    errors: dict[str, list[str]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether everything could be read, and came as it was told."""
        return not self.errors and all(result.passed for result in self.results)

    @property
    def summary(self) -> str:
        """One line about all of it."""
        failed = sum(not result.passed for result in self.results)
        said = [f"{len(self.results) - failed} passed"]
        if failed:
            said.append(f"{failed} failed")
        if self.errors:
            said.append(f"{_counted(len(self.errors), 'file')} could not be read")
        return f"{_stories(len(self.results))}: {', '.join(said)}."


def _files(places: tuple[str, ...]) -> list[Path]:
    try:
        return find_files(places)
    except BadDefinitions as error:
        for problem in error.problems:
            say(str(problem))
        sys.exit(1)


def _tell(result: Result, output_format: str) -> None:
    if output_format == "jsonl":
        write_line(_line(result))
        return
    from rich.text import Text

    story, printer = result.story, console()
    word, style = ("ok  ", "green") if result.passed else ("FAIL", "bold red")
    told = Text.assemble((word, style), f"  {story.path}:{story.line}  ", (story.name, "bold"))
    printer.print(told, soft_wrap=True)
    if not result.passed:
        for line in result.lines:
            written = f"      {line.sign} {line.written(story.starts)}"
            printer.print(Text(written, style=_STYLES[line.sign]), soft_wrap=True)
        printer.print(Text(f"      {result.summary}", style="dim"), soft_wrap=True)


def _tell_unreadable(path: Path, problems: list[str], output_format: str) -> None:
    if output_format == "jsonl":
        write_line({"file": str(path), "passed": False, "problems": problems})
        return
    from rich.text import Text

    printer = console()
    printer.print(Text.assemble(("BAD ", "bold red"), f"  {path}"), soft_wrap=True)
    for problem in problems:
        printer.print(Text(f"      {problem}"), soft_wrap=True)


def _line(result: Result) -> dict[str, Any]:
    story = result.story
    line: dict[str, Any] = {"file": story.path, "line": story.line, "story": story.name}
    line["passed"] = result.passed
    for key, sign in (("missing", Sign.MISSING), ("unexpected", Sign.UNEXPECTED)):
        line[key] = [
            {
                "at": iso(one.at),
                "profile": one.profile,
                "change": one.type,
                "segment": one.segment,
                **({"note": one.note} if one.note else {}),
            }
            for one in result.lines
            if one.sign is sign
        ]
    return line


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from error


def _stories(number: int) -> str:
    return f"{number} " + ("story" if number == 1 else "stories")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")

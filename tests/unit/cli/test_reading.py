"""Reading a file in a process of its own."""

from __future__ import annotations

import gzip
import os
import signal
from pathlib import Path
from random import Random

import click
import pytest
from hairspring.cli import event_order, reading
from hairspring.cli.event_files import EventFile
from hairspring.cli.event_order import Numbered, OutOfOrder

from tests.unit.cli.histories import line, mixed, written

NAMES = frozenset(("Product Added", "Order Completed"))
Problems = list[tuple[int, str]]


def here(path: Path, names: frozenset[str] | None) -> tuple[list[Numbered], Problems]:
    problems: Problems = []
    with EventFile(str(path)) as file:
        events = event_order.streamed(file, lambda *told: problems.append(told))
        return list(event_order.needed(events, names)), problems


def apart(path: Path, names: frozenset[str] | None) -> tuple[list[Numbered], Problems]:
    problems: Problems = []
    events = reading.read_apart(str(path), names, lambda *told: problems.append(told))
    return list(events), problems


def children() -> set[int]:
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return {int(pid) for pid in found.split()}


@pytest.mark.parametrize("names", [NAMES, None])
@pytest.mark.parametrize("compressed", [False, True])
def test_gives_what_reading_here_gives(
    tmp_path: Path, names: frozenset[str] | None, compressed: bool
) -> None:
    """The same events and the same problems, in the same order."""
    content = b"".join(mixed(Random(1), 1_400))
    path = tmp_path / "events"
    path.write_bytes(gzip.compress(content) if compressed else content)

    events, problems = apart(path, names)

    assert (events, problems) == here(path, names)
    assert len(events) > 700
    assert len(problems) > 20


def test_an_event_out_of_order(tmp_path: Path) -> None:
    """The line is named, and what was remarkable before it has been told."""
    path = written(tmp_path / "events", [line(5), b"{\n", line(4), b"{\n"])
    problems: Problems = []

    with pytest.raises(OutOfOrder) as raised:
        list(reading.read_apart(str(path), None, lambda *told: problems.append(told)))

    assert raised.value.line == 3
    assert [number for number, _ in problems] == [2]


def test_a_file_that_is_broken_off(tmp_path: Path) -> None:
    """It is told as it is told here, by the name that was given; what came before is given."""
    path = tmp_path / "events.gz"
    path.write_bytes(gzip.compress(b"".join(mixed(Random(1))))[:-12])
    os.symlink(path, tmp_path / "link")
    with pytest.raises(click.ClickException) as expected:
        here(tmp_path / "link", None)

    with pytest.raises(click.ClickException) as raised:
        apart(tmp_path / "link", None)

    assert raised.value.message == expected.value.message
    assert "link is damaged or broken off" in raised.value.message


def test_who_stops_listening_leaves_no_process(tmp_path: Path) -> None:
    """When the events are not wanted any more, the process has gone, whatever it was doing."""
    before = children()
    path = written(tmp_path / "events", mixed(Random(1), 1_400) * 10)
    events = reading.read_apart(str(path), None, lambda *_: None)
    next(events)
    assert len(children() - before) == 1

    events.close()

    assert children() == before


def test_a_process_that_is_killed(tmp_path: Path) -> None:
    """Its end before the file's is an error, not an end of the events."""
    before = children()
    # So much that it cannot all wait in the pipe.
    lines = [line(number, properties={"text": "x" * 4_000}) for number in range(1_400)]
    path = written(tmp_path / "events", lines)
    events = reading.read_apart(str(path), None, lambda *_: None)
    next(events)
    [process] = children() - before
    os.kill(process, signal.SIGKILL)

    with pytest.raises(click.ClickException, match="has ended before the file did"):
        list(events)

    assert children() == before


def test_a_program_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that cannot even begin is told in the same way."""
    monkeypatch.setattr(reading.sys, "executable", "/bin/false")
    with pytest.raises(click.ClickException, match="has ended before the file did"):
        apart(written(tmp_path / "events", [line(1)]), None)


def test_what_another_process_cannot_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file, a pipe, and a machine of one core are read here."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    path = written(tmp_path / "events", [line(1)])
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(reading._WORTH_IT)
    with EventFile(str(path)) as file:
        assert not reading.is_worth_it(file)
    with EventFile(str(large)) as file:
        assert reading.is_worth_it(file)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
        assert not reading.is_worth_it(file)

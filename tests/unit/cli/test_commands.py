"""What commands say with no service at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hairspring.cli import assignments, records
from hairspring.cli.apply import read_manifests
from hairspring.cli.get import duration
from hairspring.cli.main import _COMMANDS, main
from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.transition.v1 import transition_pb2 as pb
from hairspring.wire.times import from_ms
from hairspring.wire.transitions import transition_json


@pytest.fixture
def runner(tmp_path: Path) -> CliRunner:
    return CliRunner(env={"XDG_STATE_HOME": str(tmp_path)})


def test_help_loads_no_command() -> None:
    """Help is fast: it loads neither gRPC nor rich nor any command."""
    code = (
        "import sys; from hairspring.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'grpc', 'rich', 'asyncpg', 'asyncio'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"
    assert all(name in said.stdout for name in _COMMANDS)


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_has_help(runner: CliRunner, name: str) -> None:
    """Each command can be loaded and explains itself."""
    result = runner.invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output


def test_a_mistyped_command(runner: CliRunner) -> None:
    """A command that does not exist is answered with the nearest that does."""
    result = runner.invoke(main, ["trck"])
    assert result.exit_code == 2
    assert "There is no command 'trck'. Did you mean track?" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        *(["transitions"], ["members", "s"], ["explain", "s", "p"], ["get", "segments"]),
        *(["track", "E", "--profile", "p"], ["messages"], ["runs"], ["export", "log"]),
    ],
)
def test_nothing_answers(runner: CliRunner, arguments: list[str]) -> None:
    """Where no service answers, one sentence says what to do."""
    result = runner.invoke(main, [*arguments, "--address", "127.0.0.1:1"])
    assert result.exit_code == 1
    assert "No Hairspring answers at 127.0.0.1:1: start one with `hairspring up`" in result.output
    assert "Traceback" not in result.output


def test_definitions_that_cannot_be_read(runner: CliRunner, tmp_path: Path) -> None:
    """A missing file, a directory without definitions and bad text are told before any call."""
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"kind: Segment\nname: \xff\n")
    for place, said in (
        (tmp_path / "none.yaml", "cannot be read"),
        (bad, "bad.yaml:2:1: not text"),
    ):
        result = runner.invoke(main, ["apply", "-f", str(place)])
        assert result.exit_code == 1
        assert said in result.output
    bad.unlink()
    assert "no .yaml file" in runner.invoke(main, ["apply", "-f", str(tmp_path)]).output


def test_all_that_cannot_be_read_is_told_at_once(runner: CliRunner, tmp_path: Path) -> None:
    """Of several files each is named; stories and hidden files in a directory are no matter."""
    for name in ("a.yaml", "b.yml", ".hidden/c.yaml", "d.story.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\xff")

    for command in ("apply", "diff"):
        result = runner.invoke(main, [command, "-f", str(tmp_path), "-f", str(tmp_path / "e.yaml")])

        told = [line.rsplit("/", 1)[-1] for line in result.output.splitlines()]
        assert told == [
            "a.yaml:1:1: not text in UTF-8.",
            "b.yml:1:1: not text in UTF-8.",
            "e.yaml cannot be read: No such file or directory.",
        ]


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    """Also where it is in a directory that is named as well."""
    path = tmp_path / "a.yaml"
    path.write_text("kind: Segment\n")

    assert [one.path for one in read_manifests((str(path), str(tmp_path)))] == [str(path)]


def test_assignments() -> None:
    """Values are JSON where they parse as such, and text where they do not."""
    given = ["price=20", "name=Ada", "on=true", 'tags=["a"]', "note=a=b", "empty=", "unset=null"]
    assert assignments.parse(given, "--property") == {
        "price": 20,
        "name": "Ada",
        "on": True,
        "tags": ["a"],
        "note": "a=b",
        "empty": "",
        "unset": None,
    }
    with pytest.raises(click.UsageError, match="--property takes NAME=VALUE"):
        assignments.parse(["price"], "--property")


def test_the_line_of_a_transition() -> None:
    """A transition's JSON line says who, what, when and why; live ones do not name their origin."""
    transition = pb.Transition(
        segment="cart-abandoners",
        change=pb.CHANGE_LEFT,
        effective_time=from_ms(1659304800025),
        origin=pb.ORIGIN_LIVE,
    )
    transition.cause.event.CopyFrom(
        event_pb2.EventReference(
            message_id="m1", name="Order Completed", occur_time=from_ms(1659304800025)
        )
    )
    record = pb.Record(profile_id="otto-1", transition=transition)
    line = {
        "profile": "otto-1",
        "segment": "cart-abandoners",
        "change": "left",
        "effective_at": "2022-07-31T22:00:00.025Z",
        "cause": {
            "event": "Order Completed",
            "message_id": "m1",
            "time": "2022-07-31T22:00:00.025Z",
        },
    }
    assert transition_json(record) == line
    record.transition.origin = pb.ORIGIN_IMPORT
    record.transition.cause.late = True
    late = {**line, "cause": {**line["cause"], "late": True}, "origin": "import"}  # type: ignore[dict-item]
    assert transition_json(record) == late
    assert records.reason(late) == "Order Completed, late, by import"


@pytest.mark.parametrize(
    ("milliseconds", "written"),
    [(90_000, "1m30s"), (5_400_000, "1h30m"), (86_400_000, "1d"), (1_500, "1s500ms"), (0, "0s")],
)
def test_durations(milliseconds: int, written: str) -> None:
    """A span of time is written as definitions have it."""
    assert duration(milliseconds) == written

"""Real history: simulated and imported, in order and shuffled."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.terminal import Shell, Up, make_shell, running_up
from tests.support.shared_data import shared_data

RESTARTS = {"true": "carts", "false": "first-carts"}
DEFINITIONS = "\n---\n".join(
    f"kind: Segment\nname: {name}\nenter:\n  abandoned:\n    event: Product Added\n"
    f"    unless: {{event: Order Completed}}\n    after: 1h\n    restart: {restart}\n"
    for restart, name in RESTARTS.items()
)


@pytest_asyncio.fixture(scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    shell = make_shell(tmp_path_factory.mktemp("history"))
    _definitions(shell)
    async with running_up(shell) as up:
        assert (await shell.run("apply", "-f", "carts.yaml")).code == 0
        yield up


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = make_shell(tmp_path)
    _definitions(shell)
    return shell


@pytest.mark.parametrize("shuffled", [False, True])
async def test_simulated_carts_are_left_at_the_expected_moments(
    shell: Shell, shuffled: bool
) -> None:
    """Simulating real sessions gives exactly the expected entries, in any order of the file."""
    name = _events(shell, shuffled=shuffled)
    said = await shell.run("simulate", "-f", "carts.yaml", name)
    _check_entries(_lines(said.out))


async def test_simulating_the_standard_input(shell: Shell) -> None:
    """A shuffled file that comes through a pipe is judged as one that is named."""
    content = (shell.directory / _events(shell, shuffled=True)).read_bytes()
    said = await shell.run("simulate", "-f", "carts.yaml", "-", stdin=gzip.compress(content))
    _check_entries(_lines(said.out))


@pytest.mark.parametrize("shuffled", [False, True])
async def test_imported_carts_are_left_at_the_expected_moments(
    up: Up, shell: Shell, shuffled: bool
) -> None:
    """Importing real sessions gives what simulating them gives, and is repeated without harm."""
    shell.environment.update(up.shell.environment)
    name = _events(shell, shuffled=shuffled, suffix=".gz")
    first = json.loads((await shell.run("import", name)).out)
    assert first["read"] == 862
    assert first["accepted"] + first["repeated"] == 862
    again = json.loads((await shell.run("import", name)).out)
    assert (again["accepted"], again["repeated"]) == (0, 862)
    simulated = _lines((await shell.run("simulate", "-f", "carts.yaml", name)).out)
    recorded = _lines((await shell.run("transitions")).out)
    assert {line.pop("origin") for line in recorded} == {"import"}
    assert sorted(recorded, key=_order) == simulated
    _check_entries(recorded)


async def test_the_exported_log_simulates_to_what_happened(up: Up, shell: Shell) -> None:
    """Judging the exported log as it was accepted gives the recorded transitions, live ones too."""
    shell.environment.update(up.shell.environment)
    for event in ("Product Added", "Order Completed"):
        assert (await shell.run("track", event, "--profile", "otto-3")).code == 0
    await shell.run("explain", "carts", "otto-3")
    exported = await shell.run("export", "log")
    (shell.directory / "log.jsonl").write_text(exported.out)
    arguments = ("simulate", "-f", "carts.yaml", "--as-accepted", "log.jsonl")
    simulated = _lines((await shell.run(*arguments)).out)
    recorded = _lines((await shell.run("transitions")).out)
    assert sorted(recorded, key=_order) == simulated


async def test_what_cannot_be_read_is_told_and_kept(up: Up, shell: Shell) -> None:
    """Lines that are no events go to the reject file with their reason, the rest goes in."""
    shell.environment.update(up.shell.environment)
    good = {"type": "track", "userId": "eve", "event": "Seen", "timestamp": "2022-01-01T00:00:00Z"}
    lines = [
        json.dumps({**good, "messageId": "reject-1"}),
        "{broken",
        json.dumps({**good, "type": "alias"}),
        json.dumps({**good, "messageId": "reject-2", "timestamp": "+058000-01-01T00:00:00Z"}),
        json.dumps({**good, "messageId": "reject-3", "properties": {"text": "x" * 40_000}}),
    ]
    (shell.directory / "odd.jsonl").write_text("\n".join(lines))
    said = await shell.run("import", "odd.jsonl")
    told = json.loads(said.out)
    assert (told["read"], told["accepted"], told["rejected"]) == (5, 2, 3)
    assert "line 2: not JSON" in said.errors
    assert 'line 4: "timestamp" "+058000-01-01T00:00:00Z" taken as' in said.errors
    rejects = _lines((shell.directory / "odd.jsonl.rejects.jsonl").read_text())
    assert sorted(reject["line"] for reject in rejects) == [2, 3, 5]
    assert {reject["text"] for reject in rejects} == {lines[1], lines[2], lines[4]}


async def test_payloads_of_every_odd_shape(up: Up, shell: Shell) -> None:
    """Real payloads of every shape are imported from a pipe or rejected, each with a reason."""
    shell.environment.update(up.shell.environment)
    content = shared_data("segment-payloads/payloads.jsonl").read_bytes()
    said = await shell.run("import", "-", "--no-wait", stdin=content)
    told = json.loads(said.out)
    assert told["read"] == 2710
    assert told["accepted"] + told["repeated"] + told["rejected"] == 2710
    assert told["accepted"] > 300
    rejects = _lines((shell.directory / "import.rejects.jsonl").read_text())
    assert len(rejects) == told["rejected"]
    assert all(reject["problem"] for reject in rejects)


def _definitions(shell: Shell) -> None:
    (shell.directory / "carts.yaml").write_text(DEFINITIONS)


def _events(shell: Shell, *, shuffled: bool, suffix: str = "") -> str:
    """Write the real sessions into the shell's directory."""
    lines = shared_data("otto/events.jsonl").read_bytes().splitlines(keepends=True)
    if shuffled:
        random.Random(4).shuffle(lines)
    content = b"".join(lines)
    name = f"events.jsonl{suffix}"
    (shell.directory / name).write_bytes(gzip.compress(content) if suffix else content)
    return name


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def _order(line: dict[str, Any]) -> tuple[str, str, str]:
    return line["effective_at"], line["profile"], line["segment"]


def _check_entries(lines: list[dict[str, Any]]) -> None:
    """Compare the entries with what two independent computations found."""
    for restart, segment in RESTARTS.items():
        found = sorted(
            (line["profile"], line["effective_at"])
            for line in lines
            if line["segment"] == segment and line["change"] == "entered"
        )
        expected = shared_data(f"otto/expected_entries_restart_{restart}_1h.csv").read_text()
        assert found == sorted(tuple(row) for row in list(csv.reader(expected.splitlines()))[1:])

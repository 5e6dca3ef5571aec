"""Imports that break off, and imports that set off flows or do not."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hairspring.wire.times import iso

from tests.e2e.terminal import HAIRSPRING, Shell, Up, make_shell, running_up
from tests.support.cluster import now
from tests.support.shared_data import shared_data
from tests.support.waiting import eventually

DEFINITIONS = """
kind: Segment
name: carts
enter:
  abandoned: {event: Product Added, unless: {event: Order Completed}, after: 1h}
---
kind: Flow
name: recovery
trigger: {entered: carts}
steps:
  - send: {template: recovery}
---
kind: Template
name: recovery
subject: "{{ profile.name }}, your cart"
html: "<p>Come back</p>"
"""
SENT_BEFORE = 620


@pytest_asyncio.fixture(scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    shell = make_shell(tmp_path_factory.mktemp("imports"))
    (shell.directory / "carts.yaml").write_text(DEFINITIONS)
    async with running_up(shell) as up:
        assert (await shell.run("apply", "-f", "carts.yaml")).code == 0
        yield up


@pytest.mark.parametrize("again", ["file", "pipe"])
async def test_an_import_that_broke_off_is_run_again(up: Up, again: str) -> None:
    """Killed midway and run again, from a pipe or a file, it gives what it had given whole."""
    shell = up.shell
    content = sessions(again)
    (shell.directory / f"{again}.jsonl").write_bytes(content)
    await break_off(shell, content)
    if again == "file":
        said = await shell.run("import", f"{again}.jsonl")
    else:
        said = await shell.run("import", "-", stdin=content)
    told = json.loads(said.out)
    assert told["evaluated"], said.errors
    assert told["repeated"] >= 500
    assert told["accepted"] + told["repeated"] == 862
    simulated = lines((await shell.run("simulate", "-f", "carts.yaml", f"{again}.jsonl")).out)
    listed = await shell.run("transitions")
    assert listed.code == 0, listed.errors
    recorded = lines(listed.out)
    ours = [line for line in recorded if line["profile"].startswith(f"{again}-")]
    assert {line.pop("origin") for line in ours} == {"import"}
    assert sorted(ours, key=order) == simulated


@pytest.mark.parametrize("with_flows", [True, False])
async def test_an_import_sets_off_flows_when_asked_to(up: Up, with_flows: bool) -> None:
    """Who is in a segment by an import is mailed if it says so, and not otherwise."""
    shell = up.shell
    person = f"flows-{with_flows}".lower()
    traits = {"email": f"{person}@example.com", "name": "Ada"}
    added = {"type": "track", "event": "Product Added", "timestamp": iso(now() - 7_200_000)}
    known = {"type": "identify", "traits": traits, "timestamp": iso(now() - 7_200_000)}
    content = "\n".join(json.dumps({**line, "userId": person}) for line in (known, added))
    options = ["--with-flows"] if with_flows else []
    said = await shell.run("import", "-", *options, stdin=content.encode())
    assert json.loads(said.out)["evaluated"]
    # A live one after it: once her mail is out, that of the import would be out as well.
    live = f"after-{person}"
    sent = ("--profile", live, "--time", iso(now() - 3_600_000 + 50))
    assert (await shell.run("identify", *sent[:2], "--trait", f"email={live}@x.org")).code == 0
    assert (await shell.run("track", "Product Added", *sent)).code == 0

    async def mailed() -> bool:
        runs = lines((await shell.run("runs", "--profile", live)).out)
        return [run["status"] for run in runs] == ["ended"]

    await eventually(mailed, timeout=30, every=0.1)
    runs = lines((await shell.run("runs", "--profile", person)).out)
    mails = lines((await shell.run("messages", "--profile", person)).out)
    assert [run["reason"] for run in runs] == (["completed"] if with_flows else [])
    assert [mail["subject"] for mail in mails] == (["Ada, your cart"] if with_flows else [])


async def break_off(shell: Shell, content: bytes) -> None:
    """Begin an import from a pipe, and kill it once its first batch has gone in."""
    logged = await events(shell)
    process = await asyncio.create_subprocess_exec(
        HAIRSPRING,
        "import",
        "-",
        cwd=shell.directory,
        env=shell.environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.write(b"".join(content.splitlines(keepends=True)[:SENT_BEFORE]))
    await process.stdin.drain()

    async def gone_in() -> bool:
        return await events(shell) >= logged + 500

    await eventually(gone_in, timeout=30, every=0.1)
    process.kill()
    await process.wait()


async def events(shell: Shell) -> int:
    """The number of entries in the event log."""
    return len((await shell.run("export", "log")).out.splitlines())


def sessions(prefix: str) -> bytes:
    """Real sessions of people and messages of our own, shuffled."""
    written = shared_data("otto/events.jsonl").read_text().splitlines()
    random.Random(5).shuffle(written)
    read = [json.loads(line) for line in written]
    for line in read:
        line["userId"] = f"{prefix}-{line['userId']}"
        line["messageId"] = f"{prefix}-{line['messageId']}"
    return b"".join(json.dumps(line).encode() + b"\n" for line in read)


def lines(text: str) -> list[dict[str, Any]]:
    """What was printed as JSON lines."""
    return [json.loads(line) for line in text.splitlines()]


def order(line: dict[str, Any]) -> tuple[str, str, str]:
    """The order of what `simulate` prints."""
    return line["effective_at"], line["profile"], line["segment"]

"""Definitions as code, as a person works with them: compare, apply, look back, and take back."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.terminal import make_shell, running_up

FIRST = """\
# who bought
kind: Segment
name: buyers
enter: {performed: {event: Order Completed}}
---
kind: Segment
name: others
enter: {not: {segment: buyers}}
"""


async def test_compare_apply_and_look_back(tmp_path: Path) -> None:
    """What `diff` shows is what `apply` does, and each version can be read as it was written."""
    shell = make_shell(tmp_path)
    file = tmp_path / "shop.yaml"
    file.write_text(FIRST)
    async with running_up(shell):
        added = await shell.run("diff", "-f", "shop.yaml")
        applied = await shell.run("apply", "-f", "shop.yaml")
        same = await shell.run("diff", "-f", "shop.yaml")
        file.write_text(FIRST.partition("---")[0].replace("Completed", "Paid"))
        wrong = await shell.run("diff", "-f", "shop.yaml", "--prune", "--format", "text")
        dry = await shell.run("apply", "-f", "shop.yaml", "--prune", "--dry-run")
        pruned = await shell.run("apply", "-f", "shop.yaml", "--prune")
        versions = await shell.run("get", "segment", "buyers", "--versions")
        first, latest = (json.loads(line) for line in reversed(versions.out.splitlines()))
        back = await shell.run("get", "segment", "buyers", "--version", str(first["version"]))
        then = await shell.run("get", "segment", "buyers", "--at", latest["applied_at"])
        gone = await shell.run("get", "segment", "others")
        once = await shell.run("get", "segments", "--version", "1", "--format", "yaml")
        everything = await shell.run("get", "segments", "--format", "yaml")

    assert [json.loads(line)["change"] for line in added.out.splitlines()] == ["added", "added"]
    assert (added.code, applied.code, same.code) == (1, 0, 0)
    assert same.out == ""
    assert wrong.code == 1
    assert "-enter: {performed: {event: Order Completed}}" in wrong.out.splitlines()
    assert "+enter: {performed: {event: Order Paid}}" in wrong.out.splitlines()
    assert "segment others would be removed" in wrong.out.splitlines()
    assert dry.out == pruned.out
    assert [json.loads(line)["change"] for line in pruned.out.splitlines()] == [
        "changed",
        "removed",
    ]
    assert (first["change"], latest["change"]) == ("added", "changed")
    assert back.out == FIRST.partition("---")[0]
    assert then.out == everything.out == file.read_text()
    assert once.out == FIRST
    assert gone.code == 1
    assert "it was removed by plan version" in gone.errors


async def test_problems_are_told_at_once_and_nothing_is_applied(tmp_path: Path) -> None:
    """Of several files, each problem with its file, line, column and path."""
    shell = make_shell(tmp_path)
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "a.yaml").write_text(FIRST)
    (folder / "b.yaml").write_text(
        "kind: Segment\nname: bad\nstay: 5\nenter:\n  all:\n    - segment: nobody\n"
        "    - abandoned: {event: A, unless: {event: B}, after: 1 month}\n"
    )
    (folder / "c.story.yaml").write_text("kind: Story\n")
    told = [
        "definitions/b.yaml:3:7: stay: ",
        "definitions/b.yaml:6:16: enter.all[0].segment: ",
        "definitions/b.yaml:7:56: enter.all[1].abandoned.after: ",
    ]
    async with running_up(shell):
        applied = await shell.run("apply", "-f", "definitions")
        compared = await shell.run("diff", "-f", "definitions")
        standing = await shell.run("get", "segments")

    for said, code in ((applied, 1), (compared, 2)):
        assert said.code == code
        lines = said.errors.splitlines()
        assert len(lines) == len(told) + 1
        for line, start in zip(lines, told, strict=False):
            assert line.startswith(start)
    assert standing.out == ""

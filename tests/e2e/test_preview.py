"""Previewing a segment, at a terminal and in a pipe."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.e2e.terminal import make_shell, running_up

KEEN = "kind: Segment\nname: keen\nenter: {performed: {event: Viewed, times: '>= 2'}}\n"
EAGER = KEEN.replace(">= 2", ">= 1")


def line(profile: str, days: int) -> str:
    """Something that was viewed so many days ago."""
    at = datetime.now(UTC) - timedelta(days=days)
    return json.dumps(
        {"type": "track", "userId": profile, "event": "Viewed", "timestamp": at.isoformat()}
    )


async def test_before_and_after_it_is_applied(tmp_path: Path) -> None:
    """A new segment is counted day by day; a change of it says who would be gained and lost."""
    shell = make_shell(tmp_path)
    (tmp_path / "keen.yaml").write_text(KEEN)
    (tmp_path / "eager.yaml").write_text(EAGER)
    (tmp_path / "wrong.yaml").write_text(KEEN.replace("times", "time"))
    days = [("ada", 9), ("ada", 3), ("bo", 4), ("cleo", 8), ("cleo", 3)]
    (tmp_path / "old.jsonl").write_text("\n".join(line(*one) for one in days))
    async with running_up(shell):
        assert (await shell.run("apply", "-f", "eager.yaml")).code == 0
        assert (await shell.run("import", "old.jsonl")).code == 0
        piped = await shell.run("preview", "-f", "keen.yaml", "--since", "5d")
        shown = await shell.show("stty cols 80; hairspring preview -f keen.yaml --examples 1")
        wrong = await shell.run("preview", "-f", "wrong.yaml")
        same = await shell.run("preview", "-f", "eager.yaml")
        odd = await shell.run("preview", "-f", "keen.yaml", "--since", "soon")
        in_force = await shell.run("get", "segment", "keen")

    *lines, last = (json.loads(one) for one in piped.out.splitlines())
    assert [(one["entered"], one["left"]) for one in lines if one["entered"]] == [(2, 0)]
    assert (len(lines), last["members"]) == (6, 2)
    assert [one["profile"] for one in last["examples"]] == ["ada", "cleo"]
    difference = last["difference"]
    assert (difference["members"], difference["gained"], difference["lost"]) == (3, 0, 1)
    assert [one["profile"] for one in difference["lost_examples"]] == ["bo"]
    assert piped.errors == ""
    drawn = shown.out.splitlines()
    assert "keen would have 2 members; as it is in force, 3" in shown.out
    assert "… and 1 more" in shown.out
    assert any(one.startswith("entered") and "█" in one for one in drawn)
    assert "judging profiles" in shown.out  # drawn again and again on one line
    assert max(len(one) for one in drawn if "judging profiles" not in one) <= 80
    assert (wrong.code, wrong.out) == (1, "")
    assert "wrong.yaml:3:" in wrong.errors
    assert "name the one that is meant" in same.errors
    assert (odd.code, "--since" in odd.errors) == (2, True)
    assert ">= 1" in in_force.out

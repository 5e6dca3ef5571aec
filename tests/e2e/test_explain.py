"""Asking why, at a terminal and in a pipe."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.terminal import make_shell, running_up

KEEN = """\
kind: Segment
name: keen
enter:
  all:
    - performed: {event: Product Viewed, times: ">= 3", within: 1d}
    - not: {performed: {event: Order Completed}}
"""
VIEW = ("track", "Product Viewed", "--profile", "ada")


async def test_why_and_why_not(tmp_path: Path) -> None:
    """What is missing is said while she is out, what made it so once she is in, and both later."""
    shell = make_shell(tmp_path)
    (tmp_path / "keen.yaml").write_text(KEEN)
    async with running_up(shell):
        assert (await shell.run("apply", "-f", "keen.yaml")).code == 0
        for number in (1, 2):
            await shell.run(*VIEW, "--property", f"page=/clock/{number}")
        before = json.loads((await shell.run("explain", "keen", "ada")).out)
        drawn = await shell.show("stty cols 80; hairspring explain keen ada")
        await shell.run(*VIEW, "--property", "page=/clock/3")
        after = json.loads((await shell.run("explain", "keen", "ada")).out)
        then = json.loads((await shell.run("explain", "keen", "ada", "--at", before["at"])).out)
        [told] = (await shell.run("transitions", "--why")).out.splitlines()
        position = str(json.loads(told)["position"])
        decided = await shell.run("explain", "keen", "ada", "--transition", position)
        shown = await shell.show("stty cols 80; hairspring transitions --why")
        early = await shell.run("explain", "keen", "ada", "--at", "2020-01-01T00:00Z")
        both = await shell.run("explain", "keen", "ada", "--hindsight")

    viewed, not_bought = before["conditions"][0]["parts"]
    assert (before["member"], viewed["holds"], not_bought["holds"]) == (False, False, True)
    assert viewed["detail"] == "2 of 3 Product Viewed, 1 more needed"
    pages = [event["properties"]["page"] for event in viewed["events"]]
    assert pages == ["/clock/1", "/clock/2"]
    assert "ada is not in keen" in drawn.out
    assert 'page="/clock/2"' in drawn.out
    assert max(len(line) for line in drawn.out.splitlines()) <= 80
    assert after["member"]
    assert [record["change"] for record in after["records"]] == ["entered"]
    assert then["conditions"] == before["conditions"]
    assert (then["member"], then["records"]) == (False, [])
    assert json.loads(told)["evidence"] == after["records"][0]["evidence"]
    assert json.loads(decided.out)["member"]
    assert "performed: 3 counted, asked for >= 3 (3 events)" in " ".join(shown.out.split())
    assert early.code == 1
    assert "there was no segment 'keen' at 2020-01-01T00:00:00.000Z" in early.errors
    assert both.code == 2
    assert "--hindsight needs --at" in both.errors

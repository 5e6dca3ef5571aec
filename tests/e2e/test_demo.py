"""The demonstration."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.e2e.terminal import make_shell


async def test_plays_a_shop_and_tells_what_happened(tmp_path: Path) -> None:
    """A short play ends by itself with a summary and a mail that names the products left."""
    shell = make_shell(tmp_path)
    began = time.monotonic()
    said = await shell.run("demo", "--seconds", "10", "--data", "shop")
    assert said.code == 0, said.out + said.errors
    assert time.monotonic() - began < 90
    counts = {
        name: int(number)
        for name, number in re.findall(
            r"^(events accepted|transitions|mails delivered) +(\d+)", said.out, re.M
        )
    }
    assert counts["events accepted"] > 50
    assert counts["transitions"] > 20
    assert counts["mails delivered"] >= 1
    for measured in ("event → transition", "timer lateness"):
        assert re.search(rf"{measured} +p50 [\d.]+ ms, p99 [\d.]+ ms", said.out)
    mail = re.search(r"Read a mail that was delivered: (.+\.html)", said.out)
    assert mail
    page = Path(mail[1]).read_text()
    assert re.search(r"€\d+\.\d\d", page)
    assert "you left something behind" in page


async def test_at_a_terminal(tmp_path: Path) -> None:
    """At a terminal the same is shown on a screen that gives way to the summary."""
    said = await make_shell(tmp_path).show("hairspring demo --seconds 6 --seed 3")
    assert said.code == 0, said.out
    assert "segments" in said.out
    assert "What happened" in said.out

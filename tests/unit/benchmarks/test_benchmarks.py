"""Every benchmark runs, at a size at which it says nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as bench
from tests.benchmarks import limits, shop
from tests.benchmarks.figures import Size

SMALL = Size(
    events=3_000,
    profiles=150,
    steps=4_000,
    rounds=1,
    pipeline_events=4_000,  # fewer may take less of the cores than the kernel counts
    pipeline_seconds=0.5,
    timers=2_000,
    timers_seconds=0.2,
    timers_pending=2_000,
    peers=False,
)


#: They start servers and processes one after the other, which takes a dozen seconds or more.
_WITH_SERVICES = (
    "pipeline",
    "stored",
    "ingest",
    "ingest-stored",
    "handover",
    "filling",
    "storage",
    "timers",
)
_LONG = pytest.mark.skipif(os.environ.get("HAIRSPRING_CHAOS") != "full", reason="takes long")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[_LONG] if name in _WITH_SERVICES else [])
        for name in bench.BENCHMARKS
    ],
)
def test_it_runs(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It gives figures with a name, a unit, a command and a value for each round."""
    found = bench.measure([name], SMALL, tmp_path)

    assert found
    for figure in found:
        assert figure.name
        assert figure.unit
        assert figure.command
        assert all(value > 0 for value in figure.values)
    assert len({figure.name for figure in found}) == len(found)
    assert found[0].name in capsys.readouterr().err


def test_the_figures_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file names the machine and the size, and the table is printed at the end."""
    out = tmp_path / "deep" / "figures.json"

    bench.main(["--only", "expressions", "--steps", "500", "--rounds", "2", "--out", str(out)])

    written = json.loads(out.read_text())
    assert written["machine"].keys() == {"cores", "processor", "python", "system", "load"}
    assert written["size"]["rounds"] == 2
    assert all(len(figure["values"]) == 2 for figure in written["figures"])
    assert written["figures"][0]["name"] in capsys.readouterr().out


def test_an_unknown_benchmark() -> None:
    """The benchmarks that there are get named."""
    with pytest.raises(SystemExit, match="no benchmark 'speed'; there are simulate, engine"):
        bench.main(["--only", "speed"])


def test_the_shop_is_always_the_same() -> None:
    """The same seed gives the same lines, another one gives others; every profile comes."""
    lines = [*shop.lines(events=3_000, profiles=150)]
    assert lines == [*shop.lines(events=3_000, profiles=150)]
    assert lines != [*shop.lines(events=3_000, profiles=150, seed=2)]
    events = [json.loads(line) for line in lines]
    assert len({event["userId"] for event in events}) == 150
    assert {event["event"] for event in events} == set(shop.NAMES)
    first = dict[str, str]()
    for event in events:
        first.setdefault(event["messageId"], event["timestamp"])
    assert len(first) < len(events)
    assert [*first.values()] == sorted(first.values())


def test_by_hand_it_is_counted_right(tmp_path: Path) -> None:
    """The loop written by hand knows a bought cart from an abandoned one, and counts leaving."""

    def line(number: int, time: str, name: str) -> str:
        event = {"messageId": f"m{number}", "userId": "ada", "event": name, "timestamp": time}
        return json.dumps(event) + "\n"

    path = tmp_path / "events"
    path.write_text(
        line(1, "2026-05-01T10:00:00Z", "Product Added")
        + line(2, "2026-05-01T10:59:00Z", "Order Completed")
        + line(3, "2026-05-01T12:00:00Z", "Product Added")
        + line(4, "2026-05-01T13:00:01Z", "Product Viewed")
        + line(4, "2026-05-01T13:00:02Z", "Product Added")
        + line(5, "2026-05-02T12:00:00Z", "Order Completed")
    )
    assert limits.cart(path) == 2

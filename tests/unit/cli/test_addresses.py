"""Finding a running `up`."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hairspring.cli import addresses
from hairspring.cli.addresses import Running


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    services = ("INGEST_ADDRESS", "EVALUATOR_ADDRESS", "DELIVERY_ADDRESS")
    for variable in (*services, "KEY", "SERVICE_TOKEN"):
        monkeypatch.delenv(f"HAIRSPRING_{variable}", raising=False)
    return tmp_path


def running(*, pid: int | None = None, started: str | None = None, port: int = 1) -> Running:
    pid = os.getpid() if pid is None else pid
    return Running(
        pid=pid,
        started=addresses.start_of(pid) if started is None else started,
        data="/data",
        ingest=f"127.0.0.1:{port}",
        evaluator=f"127.0.0.1:{port + 1}",
        delivery=f"127.0.0.1:{port + 2}",
        key="key of up",
        service_token="token of up",
    )


def test_without_anything_the_usual_ports() -> None:
    """Where nothing says otherwise, a service is looked for at its usual port."""
    assert addresses.find("evaluator").address == "127.0.0.1:7302"


def test_a_running_up_is_found(state: Path) -> None:
    """A note of a running process gives the addresses, and is for its owner's eyes alone."""
    note = addresses.announce(running(port=41))
    assert addresses.find("delivery").address == "127.0.0.1:43"
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert note.is_relative_to(state / "hairspring")


@pytest.mark.parametrize("stale", [{"pid": 2**22 - 1}, {"started": "1"}])
def test_a_note_of_what_is_gone_is_passed_over(stale: dict[str, object]) -> None:
    """A note whose process ended counts for nothing, also where its id belongs to another now."""
    addresses.announce(running(**stale))  # type: ignore[arg-type]
    assert addresses.latest() is None


def test_a_damaged_note_is_passed_over(state: Path) -> None:
    """A note that cannot be read does no harm."""
    note = addresses.announce(running())
    note.with_name("7.json").write_text("{")
    note.with_name("8.json").write_text('{"pid": "x"}')
    assert addresses.latest() == running()


def test_what_is_named_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The option counts before the variable, and the variable before a running `up`."""
    addresses.announce(running())
    monkeypatch.setenv("HAIRSPRING_INGEST_ADDRESS", "there:1")
    assert addresses.find("ingest").address == "there:1"
    assert addresses.find("ingest", "here:1").address == "here:1"


def test_how_to_mend_what_does_not_answer() -> None:
    """A service that does not answer is told in one sentence, with what to do."""
    assert addresses.find("ingest").unreachable() == (
        "No Hairspring answers at 127.0.0.1:7301: start one with `hairspring up`, or name one "
        "with --address or HAIRSPRING_INGEST_ADDRESS."
    )


def test_what_a_running_up_keeps_is_shown_to_nobody_else() -> None:
    """Its services are shown its key, or its token for the whole deployment; others nothing."""
    addresses.announce(running(port=41))
    own, other = addresses.find("ingest"), addresses.find("ingest", "there:1")
    assert addresses.key_for(own) == "key of up"
    assert addresses.key_for(own, for_deployment=True) == "token of up"
    assert addresses.key_for(other) == addresses.key_for(other, for_deployment=True) == ""


def test_the_keys_of_settings_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are shown wherever they are set; the deployment's token only for what concerns it."""
    addresses.announce(running())
    target = addresses.find("ingest")
    monkeypatch.setenv("HAIRSPRING_SERVICE_TOKEN", "the first, the second")
    assert addresses.key_for(target) == "key of up"
    assert addresses.key_for(target, for_deployment=True) == "the first"
    monkeypatch.setenv("HAIRSPRING_KEY", "mine")
    assert addresses.key_for(target) == "mine"
    assert addresses.key_for(target, for_deployment=True) == "the first"

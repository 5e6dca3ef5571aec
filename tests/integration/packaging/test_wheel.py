"""One wheel holds the command and the three services, and works outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built and unpacked as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    )
    [wheel] = folder.glob("hairspring-*.whl")
    target = folder / "site"
    zipfile.ZipFile(wheel).extractall(target)
    return target


def run(installed: Path, cwd: Path, *arguments: str) -> str:
    """Run Python on the unpacked wheel, away from the checkout."""
    answer = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(installed)},
        check=True,
        capture_output=True,
        text=True,
    )
    return answer.stdout


def test_everything_is_in_the_wheel(installed: Path) -> None:
    """What the code reads from beside itself (SQL, Lua, YAML) is there too."""
    checkout = REPOSITORY / "libs" / "hairspring"
    for suffix in (".py", ".sql", ".lua", ".yaml", ".js", ".html"):
        wanted = {
            path.relative_to(checkout)
            for folder in (checkout, REPOSITORY / "services")
            for path in folder.rglob(f"*{suffix}")
            if path.is_relative_to(checkout) and "__pycache__" not in path.parts
        }
        present = {
            path.relative_to(installed / "hairspring")
            for path in (installed / "hairspring").rglob(f"*{suffix}")
        }
        assert wanted <= present
    for path in (REPOSITORY / "services").rglob("*.sql"):
        assert (
            installed / "hairspring/services" / path.relative_to(REPOSITORY / "services")
        ).exists()


@pytest.mark.parametrize("service", ["ingest", "rule_evaluator", "delivery"])
def test_services_start_from_the_wheel(installed: Path, tmp_path: Path, service: str) -> None:
    """Each service tells its help when it is run from the wheel alone."""
    said = run(installed, tmp_path, "-m", f"hairspring.services.{service}", "--help")
    assert "HAIRSPRING_POSTGRES_URL" in said


def test_the_command_simulates_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    """The `hairspring` command works in a directory of its own."""
    (tmp_path / "segments.yaml").write_text(
        "kind: Segment\nname: buyers\nenter: {performed: {event: Order Completed}}\n"
    )
    (tmp_path / "events.jsonl").write_text(
        '{"type": "track", "userId": "anna", "event": "Order Completed",'
        ' "timestamp": "2026-01-02T03:04:05.678Z", "messageId": "m1"}\n'
    )
    script = "from hairspring.cli.main import main; main()"
    said = run(installed, tmp_path, "-c", script, "simulate", "-f", "segments.yaml", "events.jsonl")
    assert '"effective_at":"2026-01-02T03:04:05.678Z"' in said.replace(": ", ":")
    where = run(installed, tmp_path, "-c", "import hairspring; print(hairspring.__file__)")
    assert where.startswith(str(installed))

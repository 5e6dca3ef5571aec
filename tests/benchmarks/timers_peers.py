"""Other delay queues on Redis, installed from their registries beside the project, not into it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BULLMQ = ("bullmq@6.7.0", "ioredis@5.9.3")
ARQ = ("arq==0.28.0",)
PROGRAMS = Path(__file__).parent / "peers"
_SECONDS = 300


class NotInstalled(Exception):
    """A peer cannot be had here; it is left out, and the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A program that loads another queue; it is told role, port, count, rate and seconds."""

    name: str
    command: tuple[str, ...]
    lateness: str  #: Under which settings it is as late as it is.


def bullmq(directory: Path) -> Peer:
    """Install BullMQ for Node; raises NotInstalled."""
    if not (npm := shutil.which("npm")) or not (node := shutil.which("node")):
        raise NotInstalled("there is no npm here (apt-get install npm)")
    home, program = directory / "bullmq", "bullmq.mjs"
    if _is_wanted(home, BULLMQ):
        quiet = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")
        _run([npm, "install", *quiet, *BULLMQ], home)
        _done(home, BULLMQ)
    # Node looks for modules beside the program.
    shutil.copy(PROGRAMS / program, home / program)
    return Peer(name=_name(BULLMQ), command=(node, str(home / program)), lateness="as it comes")


def arq(directory: Path) -> Peer:
    """Install arq into an environment of its own; raises NotInstalled."""
    home = directory / "arq"
    python = home / "venv" / "bin" / "python"
    if _is_wanted(home, ARQ):
        _run([sys.executable, "-m", "venv", "venv"], home)
        _run([str(python), "-m", "pip", "install", "-q", *ARQ], home)
        _done(home, ARQ)
    command = (str(python), str(PROGRAMS / "arq_queue.py"))
    return Peer(name=_name(ARQ), command=command, lateness="polls every 50 ms")


def _name(packages: tuple[str, ...]) -> str:
    return packages[0].replace("@", " ").replace("==", " ")


def _is_wanted(home: Path, packages: tuple[str, ...]) -> bool:
    """Whether these are not installed yet; the directory is empty then."""
    stamp = home / "installed"
    if stamp.exists() and stamp.read_text() == " ".join(packages):
        return False
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    return True


def _done(home: Path, packages: tuple[str, ...]) -> None:
    (home / "installed").write_text(" ".join(packages))


def _run(command: list[str], directory: Path) -> None:
    try:
        subprocess.run(
            command, cwd=directory, check=True, capture_output=True, text=True, timeout=_SECONDS
        )
    except (subprocess.SubprocessError, OSError) as error:
        said = str(getattr(error, "stderr", "") or error).strip()[-200:]
        raise NotInstalled(f"it cannot be installed here: {said}") from error

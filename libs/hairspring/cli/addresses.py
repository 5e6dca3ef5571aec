"""Finds the services: where a command is pointed, else where a running `up` says they are.

A running `up` leaves a note of itself, readable by its own person alone. A note whose process is
gone is passed over.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

import click
import orjson

Service = Literal["ingest", "evaluator", "delivery"]

_VARIABLES: dict[Service, str] = {
    "ingest": "HAIRSPRING_INGEST_ADDRESS",
    "evaluator": "HAIRSPRING_EVALUATOR_ADDRESS",
    "delivery": "HAIRSPRING_DELIVERY_ADDRESS",
}
_DEFAULTS: dict[Service, str] = {
    "ingest": "127.0.0.1:7301",
    "evaluator": "127.0.0.1:7302",
    "delivery": "127.0.0.1:7303",
}
_KEY = "HAIRSPRING_KEY"
_SERVICE_TOKEN = "HAIRSPRING_SERVICE_TOKEN"


P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running `up`: its process, its data directory and the addresses of its services."""

    pid: int
    #: When the process started, as its system counts; a later process of the same id differs.
    started: str
    data: str
    ingest: str
    evaluator: str
    delivery: str
    #: Where SDKs send to, as a URL; empty where an older `up` runs.
    collector: str = ""
    #: What commands show, and what only those show that concern the whole deployment.
    key: str = field(default="", repr=False)
    service_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The address of a service, and how to point a command at another one."""

    service: Service
    address: str
    variable: str

    def unreachable(self) -> str:
        """Say in one sentence what to do when it does not answer."""
        return (
            f"No Hairspring answers at {self.address}: start one with `hairspring up`, or name "
            f"one with --address or {self.variable}."
        )


def address_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add `--address`, which names the service that the command talks to."""
    return click.option(
        "--address",
        metavar="HOST:PORT",
        help="The service to talk to. Default: its HAIRSPRING_..._ADDRESS, else a running `up`.",
    )(command)


def state_directory() -> Path:
    """Name the directory where `up` keeps what must outlive it, one for each person."""
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "hairspring"


def data_directory() -> Path:
    """Name the directory where `up` keeps its data unless told otherwise."""
    return state_directory() / "data"


def find(service: Service, address: str | None = None) -> Target:
    """Find a service: by the option, the variable, a running `up`, or at its usual port."""
    variable = _VARIABLES[service]
    chosen = address or os.environ.get(variable)
    if not chosen:
        running = latest()
        chosen = getattr(running, service) if running else _DEFAULTS[service]
    return Target(service=service, address=chosen, variable=variable)


def key_for(target: Target, *, for_deployment: bool = False) -> str:
    """Find the token to show: as the settings say, else that of a running `up` which is meant.

    The token of the deployment is shown only where a command is `for_deployment`. What `up` keeps
    is shown to nobody else.
    """
    settings = [os.environ.get(_KEY, "").strip()]
    if for_deployment:
        settings.insert(0, os.environ.get(_SERVICE_TOKEN, "").partition(",")[0].strip())
    if told := next(filter(None, settings), ""):
        return told
    running = latest()
    if running is None or target.address != getattr(running, target.service):
        return ""
    return running.service_token if for_deployment else running.key


def announce(running: Running) -> Path:
    """Leave a note that this `up` runs; returns its path, to be removed at the end."""
    directory = _notes()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    note = directory / f"{running.pid}.json"
    write_private(note, orjson.dumps(asdict(running)))
    return note


def latest() -> Running | None:
    """Find the `up` that was started last and still runs."""
    notes = sorted(_read_notes(), key=lambda pair: pair[0], reverse=True)
    return next((running for _, running in notes if _runs(running)), None)


def start_of(pid: int) -> str:
    """Tell when a process started, in the words of its system; empty where it cannot be known."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The name of the program, in brackets, may itself hold spaces and brackets.
    return stat.rpartition(")")[2].split()[19]


def write_private(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, readable by its owner alone."""
    draft = path.with_suffix(f".{os.getpid()}.draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)


def _notes() -> Path:
    return state_directory() / "running"


def _read_notes() -> list[tuple[float, Running]]:
    found = []
    for note in _notes().glob("*.json"):
        try:
            found.append((note.stat().st_mtime, Running(**orjson.loads(note.read_bytes()))))
        except (OSError, ValueError, TypeError):
            continue
    return found


def _runs(running: Running) -> bool:
    try:
        os.kill(running.pid, 0)
    except PermissionError:
        pass
    except (OSError, OverflowError):
        return False
    return start_of(running.pid) == running.started

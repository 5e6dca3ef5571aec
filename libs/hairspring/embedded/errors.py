"""What can go wrong with the bundled servers, each error with the way out of it."""

from __future__ import annotations

from pathlib import Path


class EmbeddedError(Exception):
    """A bundled server cannot be used; the message says what to do about it."""


class DirectoryInUse(EmbeddedError):
    """Another live process works in the data directory."""

    def __init__(self, directory: Path, holder: str) -> None:
        super().__init__(
            f"{directory} is in use by {holder}. Stop that first, or name another directory."
        )
        self.directory = directory


class DirectoryUnusable(EmbeddedError):
    """The data directory cannot be written, or holds data this version cannot read."""


class PortTaken(EmbeddedError):
    """Something else listens on the port that was asked for."""

    def __init__(self, port: int, host: str) -> None:
        super().__init__(
            f"Port {port} on {host} is taken. Stop what listens there, or name another port."
        )
        self.port = port


class ServerAway(EmbeddedError):
    """A server that a setting names does not answer."""

    def __init__(self, problem: str, setting: str) -> None:
        super().__init__(
            f"{problem}. Start it, set {setting} to one that is running, or unset that to have "
            "the bundled one."
        )


class NoUnprivilegedUser(EmbeddedError):
    """Postgres refuses to run as root, and no other identity can be taken on this machine."""

    def __init__(self, tried: str) -> None:
        super().__init__(
            "The bundled Postgres cannot run as this user "
            f"({tried}). Run as an ordinary user that has an entry in /etc/passwd, or set "
            "HAIRSPRING_POSTGRES_URL to a Postgres that is already running."
        )


class ServerFailed(EmbeddedError):
    """A bundled server ended, or did not become ready, before it could be used."""

    def __init__(self, name: str, what: str, log: Path, last_lines: str) -> None:
        super().__init__(
            f"{name} {what}. Its log is {log}"
            + (f" and ends with:\n{last_lines}" if last_lines else ", which is empty.")
        )
        self.log = log

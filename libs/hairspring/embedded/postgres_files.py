"""What lies in the directory of a bundled Postgres, and whether it can be started from there."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from hairspring.embedded import identity
from hairspring.embedded.errors import DirectoryInUse, DirectoryUnusable
from hairspring.embedded.identity import Identity
from hairspring.embedded.processes import Child
from hairspring.embedded.programs import postgres_major, postgres_program

USER = "hairspring"
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}

_INITDB_SECONDS = 120.0
_ORPHANS_SECONDS = 10.0
_POLL_SECONDS = 0.01
_HAS_PROC = Path("/proc/self").exists()


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresFiles:
    """The directory of one bundled Postgres: its data, its superuser's password, its log."""

    directory: Path

    @property
    def data(self) -> Path:
        """The data directory proper, whole from the moment it is there."""
        return self.directory / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.directory / "postgres.log"

    @property
    def pid_file(self) -> Path:
        """Where a running server notes its process id and its state."""
        return self.data / "postmaster.pid"

    def password(self) -> str:
        """Read the superuser's password; raises `DirectoryUnusable` if it is gone."""
        try:
            return self._password_file.read_text().strip()
        except OSError as error:
            raise DirectoryUnusable(
                f"{self._password_file} cannot be read: {error.strerror}. Put it back, or move "
                f"{self.directory} away to begin with an empty database."
            ) from error

    def says_ready(self, pid: int) -> bool:
        """Tell whether the server with that process id takes connections."""
        try:
            lines = self.pid_file.read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    async def initialise(self, runs_as: Identity, *, durable: bool) -> None:
        """Make an empty cluster, unless there is one; raises `ServerFailed`."""
        if self.data.exists():
            return
        # Under another name until it is whole: a first start that is cut off is begun anew.
        unfinished = self.data.with_name("data.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        self._write_password(runs_as)
        child = Child(
            "initdb",
            [str(postgres_program("initdb")), *self._initdb_options(unfinished, durable)],
            log=self.log,
            cwd=self.directory,
            environment=ENVIRONMENT,
            identity=runs_as.launch,
            orphaned=signal.SIGKILL,
        )
        try:
            status = await asyncio.wait_for(child.wait(), _INITDB_SECONDS)
        except BaseException:
            await child.end()
            raise
        if status != 0:
            raise child.failure(f"ended with status {status}")
        unfinished.rename(self.data)

    def require_readable(self) -> None:
        """Raise `DirectoryUnusable` if another major version of Postgres wrote the data."""
        try:
            written_by = (self.data / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise DirectoryUnusable(
                f"{self.data} is not a Postgres data directory ({error.strerror}). Move it away, "
                "or name another directory."
            ) from error
        ours = postgres_major()
        if written_by != ours:
            raise DirectoryUnusable(
                f"{self.data} was written by Postgres {written_by}, and the bundled one is {ours}. "
                "Move the directory away to begin with an empty database, or set "
                f"HAIRSPRING_POSTGRES_URL to a Postgres {written_by} that serves it."
            )

    async def clear_what_a_crash_left(self) -> None:
        """Wait for the last of a killed server, and remove its pid file.

        Postgres itself judges the file by the process id alone, which may be another's by now.
        Raises `DirectoryInUse` if a server goes on working in the directory.
        """
        if not self.pid_file.exists() or not _HAS_PROC:
            return
        deadline = asyncio.get_running_loop().time() + _ORPHANS_SECONDS
        while pids := _working_in(self.data):
            if asyncio.get_running_loop().time() > deadline:
                raise DirectoryInUse(self.directory, f"a Postgres, process {min(pids)}")
            await asyncio.sleep(_POLL_SECONDS)
        self.pid_file.unlink(missing_ok=True)

    @property
    def _password_file(self) -> Path:
        return self.directory / "password"

    def _write_password(self, runs_as: Identity) -> None:
        self._password_file.unlink(missing_ok=True)
        descriptor = os.open(self._password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
        identity.give(self._password_file, runs_as)

    def _initdb_options(self, data: Path, durable: bool) -> list[str]:
        return [
            f"--pgdata={data}",
            f"--username={USER}",
            f"--pwfile={self._password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            # The password is 24 random bytes: there is nothing for iterations to slow down.
            "--set=scram_iterations=1",
            *([] if durable else ["--no-sync"]),
        ]


def _working_in(directory: Path) -> list[int]:
    """List the processes whose working directory it is, as it is of every process of a server."""
    inside = os.stat(directory)
    pids = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                found = os.stat(f"/proc/{entry}/cwd")
            except OSError:
                continue
            if (found.st_dev, found.st_ino) == (inside.st_dev, inside.st_ino):
                pids.append(int(entry))
    return pids

"""Under whom Postgres runs: it refuses root, and wants a user that the system knows by name."""

from __future__ import annotations

import asyncio
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hairspring.embedded.errors import NoUnprivilegedUser
from hairspring.embedded.processes import SAME_IDENTITY, launch_command

_PREFERRED = ("postgres", "nobody", "daemon")
_PROBE_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A way to run Postgres, and who owns its files then (as this process sees it)."""

    launch: str
    uid: int
    gid: int


async def choose(program: Path) -> Identity:
    """Find an identity under which `program` runs here; raises `NoUnprivilegedUser`.

    As an ordinary user: that user. As root, or as a user without a name (as containers have it):
    a user namespace in which we appear as an unprivileged account; failing that, and from root
    only, that account itself.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0 and _has_name(uid):
        return Identity(launch=SAME_IDENTITY, uid=uid, gid=gid)
    account = _unprivileged()
    if account is None:
        raise NoUnprivilegedUser("there is no account but root")
    ids = f"{account.pw_uid}:{account.pw_gid}"
    candidates = [Identity(launch=f"namespace:{ids}", uid=uid, gid=gid)]
    if uid == 0:
        candidates.append(Identity(launch=f"drop:{ids}", uid=account.pw_uid, gid=account.pw_gid))
    failures = []
    for candidate in candidates:
        failure = await asyncio.to_thread(_try, program, candidate)
        if failure is None:
            return candidate
        failures.append(failure)
    raise NoUnprivilegedUser("; ".join(failures))


def give(path: Path, identity: Identity) -> None:
    """Make the identity own a file or a whole directory, if it does not yet."""
    if os.geteuid() != 0 or path.lstat().st_uid == identity.uid:
        return
    for folder, _, files in os.walk(path):
        for name in files:
            os.lchown(os.path.join(folder, name), identity.uid, identity.gid)
        os.lchown(folder, identity.uid, identity.gid)
    # Last, so that a change that was interrupted is begun anew.
    os.lchown(path, identity.uid, identity.gid)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _unprivileged() -> pwd.struct_passwd | None:
    accounts = {account.pw_name: account for account in pwd.getpwall() if account.pw_uid != 0}
    for name in _PREFERRED:
        if name in accounts:
            return accounts[name]
    return next(iter(accounts.values()), None)


def _try(program: Path, identity: Identity) -> str | None:
    """Run the program's version under the identity, and return what was said if it fails."""
    tried = subprocess.run(
        launch_command([str(program), "--version"], identity=identity.launch),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        timeout=_PROBE_SECONDS,
        check=False,
    )
    if tried.returncode == 0:
        return None
    said = tried.stderr.strip().splitlines()
    return said[-1] if said else f"{identity.launch}: exit status {tried.returncode}"

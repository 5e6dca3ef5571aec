"""Becomes a server that ends with its parent, under an identity the server accepts.

Run by path in a bare interpreter, so that nothing of the parent's threads or modules is carried
over a fork: `python -I -S launch.py PARENT SIGNAL IDENTITY COMMAND [ARGUMENT ...]`. SIGNAL is what
the kernel sends when the parent is gone. IDENTITY is one of

- `same`: stay who we are;
- `namespace:UID:GID`: take a user namespace in which we appear as that user; files stay ours;
- `drop:UID:GID`: from root, become that user, able to reach its files under root's directories.

It uses the standard library alone, and nothing of this project.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CLONE_NEWUSER = 0x10000000
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522

REFUSED = 126  # exit status when the identity cannot be taken


def main(arguments: list[str]) -> None:
    """Take the identity, tie this process to its parent, and become the command."""
    parent, signal, identity, *command = arguments
    kind, _, ids = identity.partition(":")
    try:
        if kind != "same":
            uid, gid = (int(part) for part in ids.split(":"))
            (_enter_namespace if kind == "namespace" else _drop_to)(uid, gid)
    except OSError as error:
        sys.stderr.write(f"cannot take the identity {identity}: {error}\n")
        sys.exit(REFUSED)
    # After the change of identity, which would clear it.
    _die_with_parent(int(parent), int(signal))
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error}\n")
        sys.exit(REFUSED)


def _die_with_parent(parent: int, signal: int) -> None:
    """Have the kernel end this process with its parent (on Linux; elsewhere nothing does)."""
    if not sys.platform.startswith("linux"):
        return
    _call("prctl", PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(REFUSED)


def _enter_namespace(uid: int, gid: int) -> None:
    """Appear as `uid` and `gid` in a user namespace of our own."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    _call("unshare", CLONE_NEWUSER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {outer_uid} 1")
    _write("/proc/self/gid_map", f"{gid} {outer_gid} 1")


def _drop_to(uid: int, gid: int) -> None:
    """Become `uid`, keeping from root only the right to pass its directories' permissions."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    _call("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setresuid(uid, uid, uid)
    mask = 1 << CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # effective, permitted, inheritable; then the same for capabilities from 32 on.
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    try:
        _call("capset", header, data)
        _call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)
    except OSError:
        pass  # Without it the command runs all the same where its files are open to that user.


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _call(name: str, *arguments: object) -> None:
    """Call a function of the C library; raises OSError if it fails or is unknown."""
    library = ctypes.CDLL(None, use_errno=True)
    function = getattr(library, name, None)
    if function is None:
        raise OSError(f"this system has no {name}")
    wide = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments]
    if function(*wide) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main(sys.argv[1:])

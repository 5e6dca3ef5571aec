"""Free ports on the loopback interface, and a clear word about the ones that are taken."""

from __future__ import annotations

import random
import socket
from collections import deque

from hairspring.embedded.errors import EmbeddedError, PortTaken

LOOPBACK = "127.0.0.1"

# Below the ranges from which systems take ports for outgoing connections, so that a server can be
# stopped and started again on its port without a client having borrowed it meanwhile.
_FIRST, _LAST = 15_000, 31_999
_ATTEMPTS = 200

#: What this process was given lately: whoever asked may not have begun to listen yet.
_given: deque[int] = deque(maxlen=1_000)


def free_port(host: str = LOOPBACK) -> int:
    """Find a port on which nothing listens now, none that was given lately.

    Raises `EmbeddedError` if none is found.
    """
    for _ in range(_ATTEMPTS):
        port = random.randint(_FIRST, _LAST)
        if port not in _given and is_free(port, host):
            _given.append(port)
            return port
    raise EmbeddedError(
        f"No free port between {_FIRST} and {_LAST} on {host}. Name one, or stop what uses them."
    )


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Tell whether a server could listen on the port at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do it: connections that are still closing do not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def require_free(port: int, host: str = LOOPBACK) -> int:
    """Return the port if a server could listen on it, else raise `PortTaken`."""
    if not is_free(port, host):
        raise PortTaken(port, host)
    return port

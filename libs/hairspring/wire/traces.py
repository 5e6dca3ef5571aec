"""Trace ids: what ties the log lines of the services to an event, or to a moment of a profile.

They are derived, so nothing is stored and each service finds the same: 16 bytes in hexadecimal, the
form that W3C traces have.
"""

from hashlib import blake2b


def trace_of_event(workspace: str, message_id: str) -> str:
    """The trace id of an event: the same for each time that it is sent."""
    return _digest("event", workspace, message_id)


def trace_of_moment(workspace: str, profile: str, at: int) -> str:
    """The trace id of what the passing of time does to a profile at a moment (ms, UTC)."""
    return _digest("moment", workspace, profile, str(at))


def trace_of_parent(traceparent: str) -> str:
    """The trace id in a W3C traceparent that was sampled; empty for any other."""
    version, _, rest = traceparent.partition("-")
    parts = rest.split("-")
    if len(version) != 2 or len(parts) < 3 or len(parts[0]) != 32 or len(parts[2]) != 2:
        return ""
    try:
        sampled = int(parts[2], 16) & 1 and int(parts[0], 16)
    except ValueError:
        return ""
    return parts[0].lower() if sampled else ""


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

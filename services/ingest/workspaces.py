"""Which workspace a call concerns."""

from hairspring.runtime.errors import InvalidInput

DEFAULT = "default"


def workspace_of(said: str) -> str:
    """Answer the workspace of a request. Raises InvalidInput for one that does not exist."""
    if said not in ("", DEFAULT):
        raise InvalidInput(
            f"there is no workspace {said[:100]!r}; leave workspace_id empty, or write {DEFAULT!r}",
            field="workspace_id",
        )
    return DEFAULT

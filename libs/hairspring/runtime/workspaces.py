"""Which workspace a request concerns."""

import re

from hairspring.runtime.errors import InvalidInput

DEFAULT = "default"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def workspace_of(said: str) -> str:
    """Answer the workspace that a request names; empty means `default`.

    Whether its caller may is settled before, by whom it bears the key of. Raises InvalidInput for
    what cannot be the name of one.
    """
    if not said:
        return DEFAULT
    if not _NAME.fullmatch(said):
        raise InvalidInput(
            f"{said[:100]!r} cannot be a workspace: their names have up to 63 small letters, "
            "digits, - and _",
            field="workspace_id",
        )
    return said

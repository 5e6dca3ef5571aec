"""Whose call it is: the ids of senders. Pure."""

from hairspring.runtime.errors import InvalidInput
from hairspring.services.ingest.judging import check_id


class NoIdentity(InvalidInput):
    """A call names nobody."""


def check_identity(known: str, anonymous: str) -> None:
    """Check that a call names somebody: by the known id where there is one, else the anonymous one.

    Raises NoIdentity where neither is set, InvalidInput for an id that stands for nobody ("null",
    "guest", ...). Which profile that is, and whether both become one, is said by `judging.whose`.
    """
    profile = known or anonymous
    if not profile:
        raise NoIdentity("neither userId nor anonymousId says whose call it is")
    check_id("userId" if known else "anonymousId", profile)


def text_of(field: str, value: object) -> str:
    """Answer an id as text: whole numbers are written out, null and blanks are none.

    Raises InvalidInput for anything else.
    """
    if type(value) is str:
        return value if value and not value.isspace() else ""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InvalidInput(f"{field} must be a text", field=field)

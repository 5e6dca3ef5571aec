"""The kinds of calls that the SDKs make, and what they are called. Pure."""

from enum import Enum


class Kind(Enum):
    """A kind of call, by its word in the Segment spec."""

    TRACK = "track"  #: Something happened.
    IDENTIFY = "identify"  #: Traits of a profile.
    PAGE = "page"  #: A page of a site was seen.
    SCREEN = "screen"  #: A screen of an app was seen.
    GROUP = "group"  #: A profile joined a company or the like.
    ALIAS = "alias"  #: Two ids are one person.


_BY_WORD = {kind.value: kind for kind in Kind}

PATHS = {name: kind for kind in Kind for name in (kind.value, kind.value[0])}
"""The last part of the path of a single call, in full and by its first letter."""

BATCH_PATHS = ("batch", "b", "import")
"""The last part of the path of many calls at once."""


def kind_of(said: object) -> Kind | None:
    """Answer the kind that a payload names as its type, in whatever case; None for any other."""
    if not isinstance(said, str):
        return None
    return _BY_WORD.get(said) or _BY_WORD.get(said.strip().lower())

"""What the handlers of lists share: page sizes and page tokens."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode

from hairspring.runtime.errors import InvalidInput

LARGEST_PAGE = 10_000

MOST_DIGITS = 18  #: Of a position: more do not fit where positions are kept.


def page_size(asked: int, usual: int = 1_000) -> int:
    """The page size to use. Raises InvalidInput for a negative one."""
    if asked < 0:
        raise InvalidInput("page_size cannot be negative")
    return min(asked or usual, LARGEST_PAGE)


def read_token(token: str) -> str:
    """What a page token says. Raises InvalidInput for one that was not made here."""
    try:
        return urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("page_token is none that was answered before") from error


def read_position(token: str) -> int:
    """The position of the log that a page token says; 0 for none. Raises InvalidInput likewise."""
    said = read_token(token)
    if said and (not said.isdecimal() or len(said) > MOST_DIGITS):
        raise InvalidInput("page_token is none that was answered before")
    return int(said or 0)


def make_token(text: str) -> str:
    """A page token."""
    return urlsafe_b64encode(text.encode()).decode()

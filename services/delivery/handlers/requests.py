"""What the handlers have in common: the size of a page."""

from __future__ import annotations

from hairspring.runtime.errors import InvalidInput

DEFAULT_PAGE = 100
LARGEST_PAGE = 10_000


def page_size_of(told: int) -> int:
    """Answer the size of a page; 0 means 100. Raises InvalidInput below 0 or above 10,000."""
    if not 0 <= told <= LARGEST_PAGE:
        raise InvalidInput(f"page_size must be from 1 to {LARGEST_PAGE:,}", field="page_size")
    return told or DEFAULT_PAGE

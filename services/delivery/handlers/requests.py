"""What the handlers have in common: the workspace and the size of a page."""

from __future__ import annotations

from hairspring.runtime.errors import InvalidInput

WORKSPACE = "default"
DEFAULT_PAGE = 100
LARGEST_PAGE = 10_000


def workspace_of(told: str) -> str:
    """Answer the workspace that a request names; empty means "default". Raises InvalidInput."""
    if told not in ("", WORKSPACE):
        raise InvalidInput(
            f'there is no workspace {told[:100]!r}; leave it empty or write "{WORKSPACE}"',
            field="workspace_id",
        )
    return WORKSPACE


def page_size_of(told: int) -> int:
    """Answer the size of a page; 0 means 100. Raises InvalidInput below 0 or above 10,000."""
    if not 0 <= told <= LARGEST_PAGE:
        raise InvalidInput(f"page_size must be from 1 to {LARGEST_PAGE:,}", field="page_size")
    return told or DEFAULT_PAGE

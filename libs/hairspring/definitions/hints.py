"""Hints: what somebody meant who wrote another word, or left one out."""

import difflib
from collections.abc import Mapping, Sequence

from hairspring.definitions.problems import listed

#: How what is missing could be written.
EXAMPLES: Mapping[str, str] = {
    "enter": "enter: {performed: {event: Order Completed}}",
    "event": "event: Product Viewed",
    "unless": "unless: {event: Order Completed}",
    "after": "after: 1h",
    "for": "for: 30d",
    "steps": "steps: [{event: Product Viewed}, {event: Product Added}]",
    "of": "of: properties.total",
    "fn": "fn: sum",
    "is": "is: '>= 100'",
    "from": "from: -3d",
    "until": "until: 0s",
}

#: Words that others use, and ours for them; the first that is known at a place is told.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "and": ("all",),
    "or": ("any",),
    "none": ("not",),
    "name": ("event", "trait"),
    "events": ("event", "steps"),
    "count": ("times", "performed"),
    "within": ("for", "after"),
    "for": ("within", "after"),
    "after": ("for", "from"),
    "last": ("within",),
    "window": ("within",),
    "filter": ("where",),
    "if": ("where",),
    "group_by": ("by",),
    "key": ("by",),
    "until": ("unless",),
    "then": ("steps",),
    "field": ("of",),
    "property": ("of",),
    "function": ("fn",),
    "times": ("is",),
    "value": ("is",),
    "to": ("until",),
    "before": ("until",),
    "zone": ("timezone",),
    "traits": ("trait", "profile"),
    "trait": ("profile",),
    "tag": ("profile",),
    "tags": ("profile",),
    "member": ("segment",),
    "sum": ("aggregate",),
    "avg": ("aggregate",),
    "birthday": ("anniversary",),
    "event": ("performed",),
}


def needed(name: str) -> str:
    """A key that is missing, with an example where there is one."""
    example = EXAMPLES.get(name)
    return f"`{name}`" if example is None else f"`{name}`, such as `{example}`"


def unknown(name: str, known: Sequence[str]) -> str:
    """Instead of a key that nothing knows: the one that was meant, or all that there are."""
    short = name[:60].lower()
    meant = [word for word in _WORDS.get(short, ()) if word in known]
    meant += difflib.get_close_matches(short, known, n=1, cutoff=0.6)
    if meant:
        return f"did you mean `{meant[0]}`?"
    return f"there {'is only' if len(known) == 1 else 'are'} {listed(known, 'and')}"

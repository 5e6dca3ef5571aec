"""Changes of definitions amid events: segments that are added, and some that are written anew."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from hairspring.definitions import Manifest, load
from hairspring.store.definitions import StoredDefinition

from tests.simulation.rules import SEGMENTS, SETS, texts

#: Other forms of some segments; none waits longer after an event than those in force do.
OTHERS = {
    "busy": """
        enter: {performed: {event: Viewed, times: ">= 2", within: 2s}}
    """,
    "lost-carts": """
        enter: {abandoned: {event: Added, unless: {event: Bought}, after: 2s}}
        stay: 1s
    """,
    "quiet": """
        enter: {inactive: {event: "*", for: 3s}}
    """,
    "passing": """
        enter: {performed: {event: Added, within: 4s}}
        exit: {performed: {event: Bought, within: 2s}}
    """,
    "spenders": """
        enter:
          aggregate: {event: Bought, of: properties.price, fn: sum, is: ">= 30", within: 5s}
    """,
    "gold": """
        enter: {profile: traits.plan == "free"}
    """,
    "same-thing": """
        enter: {performed: {event: Viewed, by: properties.thing, times: ">= 2", within: 4s}}
        cooldown: 1s
    """,
}
#: What can be added: segments that refer to no other.
NEW = ("busy", "lost-carts", "quiet", "passing", "straight-on", "spenders", "gold", "same-thing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Definitions to be applied after `seconds`, and whether what follows sets off flows."""

    seconds: float
    stored: Sequence[StoredDefinition]
    with_flows: bool

    @property
    def names(self) -> list[str]:
        """The segments that are new or changed."""
        return [one.name for one in self.stored]


def draw(chance: random.Random, number: int, rules: int, seconds: float) -> list[Change]:
    """Draw so many changes of one of SETS, within so many seconds."""
    changes = []
    for _ in range(number):
        names = chance.sample(NEW, chance.choice((1, 1, 2)))
        forms = tuple(
            (name, name in OTHERS and (name in SETS[rules] or chance.random() < 0.3))
            for name in names
        )
        changes.append(
            Change(
                seconds=chance.uniform(0, seconds / number),
                stored=[_stored(name, other) for name, other in forms],
                with_flows=chance.random() < 0.5,
            )
        )
    return changes


@cache
def _stored(name: str, other: bool) -> StoredDefinition:
    text = texts("Segment", {name: OTHERS[name] if other else SEGMENTS[name]})
    catalog = load([Manifest(path="change.yaml", text=text[0])])
    return StoredDefinition(
        kind="segment",
        name=name,
        version=0,
        body=catalog.segments[name].body_json,
        source=catalog.segments[name].source,
    )

"""What the shop in the world is judged by: a few small sets of segments, each compiled once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from textwrap import dedent

from hairspring.definitions import Manifest, load
from hairspring.engine.plan import Plan
from hairspring.services.rule_evaluator.plans import Activation, PlanBook, Plans
from hairspring.store.definitions import DefinitionStore, StoredDefinition
from hairspring.wire.flows import Flow, flow_from_json

WORKSPACE = "default"
#: The plan version that puts in force what the first one brought.
IN_FORCE = 2
#: Longer than any moment that a segment waits for after an event, in milliseconds.
LONGEST_WAIT_MS = 5_000

#: Each segment uses conditions whose answers change with no event.
SEGMENTS = {
    "busy": """
        enter: {performed: {event: Viewed, times: ">= 3", within: 3s}}
        cooldown: 1s
    """,
    "same-thing": """
        enter:
          performed:
            {event: Viewed, by: properties.thing, times: ">= 2", within: 2s,
             since: {event: Bought, by: properties.thing}}
    """,
    "lost-carts": """
        enter: {abandoned: {event: Added, unless: {event: Bought}, after: 1s}}
    """,
    "lost-by-cart": """
        enter:
          abandoned:
            {event: Added, by: properties.cart, unless: {event: Bought, by: properties.cart},
             after: 2s, restart: false}
        stay: 2s
    """,
    "quiet": """
        enter: {inactive: {event: "*", for: 2s}}
    """,
    "passing": """
        enter: {performed: {event: Added}}
        exit: {performed: {event: Bought, within: 1s}}
        stay: 3s
        cooldown: 2s
    """,
    "straight-on": """
        enter:
          sequence:
            steps: [{event: Viewed}, {event: Added}, {event: Bought}]
            within: 3s
            recent: 2s
    """,
    "spenders": """
        enter:
          aggregate: {event: Bought, of: properties.price, fn: sum, is: ">= 60", within: 4s}
    """,
    "gold": """
        enter: {profile: traits.plan == "gold"}
    """,
    "gold-and-quiet": """
        enter: {all: [{segment: gold}, {segment: quiet}]}
    """,
    "busy-again": """
        enter: {all: [{segment: busy}, {not: {segment: lost-carts}}]}
        max_event_age: 2s
    """,
    "unhurried": """
        enter: {all: [{segment: passing}, {not: {performed: {event: Viewed, within: 1s}}}]}
        stay: 1s
    """,
}

#: What follows an entry. Some wait, some do not; some start again at once, some later.
FLOWS = {
    "win-back": """
        trigger: {entered: lost-carts}
        reentry: {cooldown: 3s}
        steps:
          - wait: 1s
          - send: {template: plain}
          - wait: 2s
          - send: {template: telling}
    """,
    "at-once": """
        trigger: {entered: lost-carts}
        steps: [{send: {template: telling}}]
    """,
    "by-cart": """
        trigger: {entered: lost-by-cart}
        steps: [{wait: 1s}, {send: {template: telling}}, {send: {template: plain}}]
    """,
    "hello": """
        trigger: {entered: busy}
        reentry: {cooldown: 5s}
        steps: [{send: {template: plain}}, {wait: 1s}]
    """,
    "come-back": """
        trigger: {entered: quiet}
        steps: [{wait: 1s}, {wait: 2s}, {send: {template: plain}}]
    """,
    "thanks": """
        trigger: {entered: passing}
        steps: [{send: {template: plain}}, {wait: 2s}, {send: {template: plain}}]
    """,
    "bought": """
        trigger: {entered: straight-on}
        steps: [{wait: 1s}, {send: {template: plain}}]
    """,
    "big": """
        trigger: {entered: spenders}
        reentry: {cooldown: 2s}
        steps: [{send: {template: telling}}]
    """,
}
TEMPLATES = {
    "plain": """
        channel: email
        subject: Hello {{ profile.plan }}
        html: <p>Still there?</p>
        text: Still there?
    """,
    "telling": """
        channel: email
        subject: Hello
        html: <p>{% for one in trigger %}{{ one.name }} {% endfor %}</p>
        text: "{{ trigger.size }}"
    """,
}

SETS: tuple[tuple[str, ...], ...] = (
    ("busy", "lost-carts", "busy-again"),
    ("same-thing", "quiet", "gold", "gold-and-quiet"),
    ("lost-by-cart", "passing", "unhurried"),
    ("straight-on", "spenders", "quiet"),
    ("lost-carts", "lost-by-cart", "passing", "same-thing"),
    ("busy", "lost-carts", "busy-again", "quiet", "gold", "gold-and-quiet", "spenders"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Some definitions as they are stored, their plan once they are in force, and the flows."""

    stored: Sequence[StoredDefinition]
    plan: Plan
    flows: Sequence[Flow]


class SharedBook(PlanBook):
    """A plan book that compiles nothing twice in all worlds: a plan is never changed.

    `rows` are read without a wire, so that the first world takes the same steps as all others.
    """

    def __init__(self, definitions: DefinitionStore, rows: DefinitionStore) -> None:
        super().__init__(definitions)
        self._rows = PlanBook(rows)

    async def _read(self, version: int) -> Plans:
        definitions = self._definitions
        stored: list[StoredDefinition] = []
        for workspace in await definitions.workspaces():
            stored += await definitions.in_force(workspace, version)
            base = await definitions.activated(workspace, version)
            stored += await definitions.in_force(workspace, base) if base else []
        key = tuple((d.kind, d.name, d.version, d.body, d.with_flows) for d in stored), version
        if key not in _PLANS:
            _PLANS[key] = await self._rows.at(version)
        found = await definitions.activation(version)
        activation = None if found is None else Activation(workspace=found[0], through=found[1])
        return replace(_PLANS[key], activation=activation)


_PLANS: dict[object, Plans] = {}


@cache
def rules(number: int) -> Rules:
    """Compile one of SETS, with the flows that its segments set off."""
    flows = {
        name: text
        for name, text in FLOWS.items()
        if any(f"entered: {segment}}}" in text for segment in SETS[number])
    }
    segments = {name: SEGMENTS[name] for name in SETS[number]}
    written = [*texts("Segment", segments), *texts("Flow", flows), *texts("Template", TEMPLATES)]
    catalog = load([Manifest(path="rules.yaml", text="\n---\n".join(written))])
    stored = [
        StoredDefinition(
            kind=definition.kind,
            name=definition.name,
            version=0,
            body=definition.body_json,
            source=definition.source,
        )
        for definition in catalog.all()
    ]
    return Rules(
        stored=stored,
        plan=catalog.plan(version=IN_FORCE, versions=dict.fromkeys(catalog.segments, 1)),
        flows=[flow_from_json(flow.body_json) for flow in catalog.flows.values()],
    )


def texts(kind: str, named: Mapping[str, str]) -> list[str]:
    """Write definitions of a kind as they are in a manifest."""
    return [f"kind: {kind}\nname: {name}\n{dedent(text).strip()}" for name, text in named.items()]

"""Definitions that are sound, for tests to start from."""

from hairspring.definitions import BadDefinitions, Catalog, Manifest, Problem, load

SEGMENTS = """\
# who forgot her cart
kind: Segment
name: cart-abandoners
description: Added to the cart and did not buy within the hour.
enter:
  all:
    - abandoned:
        {event: Product Added, where: properties.price >= 20.0,
         unless: {event: Order Completed}, after: 1h}
    - not: {segment: staff}
stay: 7d
cooldown: 1d
max_event_age: 3d
---
kind: Segment
name: staff
enter:
  any:
    - performed:
        {event: [Signed In, Clocked In], times: ">= 2", within: 1h30m, since: {event: Left}}
    - performed:
        event: "*"
        where: |
          properties.staff == true
            || context.staff
exit:
  performed: {event: Left, times: 1}
"""

FLOWS = """\
kind: Flow
name: cart-recovery
trigger: {entered: cart-abandoners}
reentry: {cooldown: 1d}
steps:
  - wait: 30m
  - send: {template: cart-recovery}
---
kind: Template
name: cart-recovery
subject: "{{ profile.name | default: 'Hello' }}, your cart is waiting"
html: |
  <p>Hello {{ profile.name }}</p>
  {% for item in cart %}
    <li>{{ item.name }}: {{ item.price | money: item.currency }}</li>
  {% endfor %}
text: Hello
"""


def loaded(*texts: str) -> Catalog:
    """The catalog of manifests that are sound."""
    return load([Manifest(path=f"{i}.yaml", text=text) for i, text in enumerate(texts)])


def problems_of(*texts: str) -> list[Problem]:
    """The problems of manifests; none where they are sound."""
    try:
        loaded(*texts)
    except BadDefinitions as error:
        return error.problems
    return []


def told(*texts: str) -> list[tuple[int, int, str]]:
    """Line, column and path of each problem."""
    return [(found.line, found.column, found.field_path) for found in problems_of(*texts)]


def segment(enter: str, rest: str = "") -> str:
    """A segment with this condition on its third line, and then the rest."""
    return f"kind: Segment\nname: some\nenter: {enter}\n{rest}"

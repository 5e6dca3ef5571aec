"""Traits and tags: what calls say of a profile, the last by event time counts for each name."""

from hairspring.engine.events import Event, EventKind
from hairspring.engine.state import ProfileState


def merge(state: ProfileState, event: Event) -> None:
    """Applies a call that sets traits, or attaches or takes off tags."""
    at = (event.time, event.order)
    if event.kind is EventKind.IDENTIFY:
        for name, value in event.properties.items():
            known = state.traits.get(name)
            if known is None or at > known[:2]:
                state.traits[name] = (*at, value)
        return
    attached = event.kind is EventKind.ADD_TAGS
    for tag in event.properties.get("tags", ()):
        told = state.tags.get(tag)
        if told is None or at > told[:2]:
            state.tags[tag] = (*at, attached)

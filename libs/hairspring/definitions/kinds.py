"""The kinds of definitions."""

from enum import StrEnum


class Kind(StrEnum):
    """What a definition defines."""

    SEGMENT = "segment"  #: Who belongs together.
    FLOW = "flow"  #: What happens after somebody entered a segment.
    TEMPLATE = "template"  #: What a message is made from.

    @property
    def written(self) -> str:
        """How `kind:` says it in YAML."""
        return self.value.capitalize()

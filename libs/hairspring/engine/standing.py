"""How one profile stands to one segment."""

from typing import NamedTuple


class SegmentState(NamedTuple):
    """How one profile stands to one segment. Times in milliseconds, UTC.

    A tuple, since some are read and written with every profile.
    """

    member: bool = False
    entered_at: int | None = None  #: The latest entry.
    left_at: int | None = None  #: The latest leaving.
    enter_held: bool = False  #: Whether `enter` held at the latest instant.
    rise_at: int | None = None  #: The rise that stands, if one does.
    until: int | None = None  #: When to look again with no new event.

    def looked_at(self, until: int | None) -> "SegmentState":
        """The same, to be looked at again at another moment."""
        member, entered_at, left_at, enter_held, rise_at, _ = self
        return SegmentState(member, entered_at, left_at, enter_held, rise_at, until)

    def answers(self) -> tuple[bool, bool, int | None]:
        """What makes a moment count as an instant when it changes."""
        return self.member, self.enter_held, self.rise_at

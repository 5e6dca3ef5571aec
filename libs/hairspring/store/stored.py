"""A profile as it was read: its state stays in its bytes until somebody asks for it.

An open state is some hundred objects far apart in memory, ten times as large as its bytes. What is
kept is kept packed, so that many profiles fit, and whoever works on one has all of it at hand.
"""

from collections.abc import Container
from typing import Any

from hairspring.engine.state import ProfileState
from hairspring.store.encoding import decode, encode


class Stored:
    """What is known of a profile: its state, when its timer is due, and what waits to be rebuilt.

    `due_at` may be earlier than the alarm of the state: looking early is harmless. `rebuilds` is a
    list of hairspring.store.port.Rebuild. `fill` is the state by what is being filled; None where
    that has not been folded yet. `incomplete` says, to whoever reads it, that something of the
    profile is set aside. Reading `state` or `fill` raises UnreadableState where it is damaged.
    """

    __slots__ = ("_fill", "_state", "due_at", "incomplete", "known", "rebuilds")

    def __init__(
        self,
        *,
        state: ProfileState | bytes,
        due_at: int | None = None,
        rebuilds: list[Any] | None = None,
        fill: ProfileState | bytes | None = None,
    ) -> None:
        """Takes states open or packed."""
        self._state = _Half(state)
        self._fill = None if fill is None else _Half(fill)
        self.due_at = due_at
        self.rebuilds = [] if rebuilds is None else rebuilds
        self.incomplete = False
        #: The segments that there are: how the profile stood to others is forgotten when it is
        #: opened. None for all, once it was packed anew: segments may have come since.
        self.known: Container[str] | None = None

    @property
    def state(self) -> ProfileState:
        """The state, open."""
        return self._state.open or self._state.opened(self.known)

    @state.setter
    def state(self, state: ProfileState) -> None:
        self._state.open = state

    @property
    def fill(self) -> ProfileState | None:
        """The state by what is being filled, open."""
        return None if self._fill is None else self._fill.open or self._fill.opened(None)

    @fill.setter
    def fill(self, fill: ProfileState | None) -> None:
        if fill is None or self._fill is None:
            self._fill = None if fill is None else _Half(fill)
        else:
            self._fill.open = fill

    def clear(self) -> None:
        """Forgets everything: what it is from now on is a profile that is not known."""
        self._state, self._fill = _Half(ProfileState()), None
        self.due_at, self.rebuilds, self.known = None, [], None

    def pack(self) -> bytes:
        """The state as it is written; it is closed by that."""
        if self._state.open is not None:
            self.known = None  # what there was to be forgotten is not in it any more
        return self._state.pack()

    def pack_fill(self) -> bytes | None:
        """The same of `fill`."""
        return None if self._fill is None else self._fill.pack()

    def close(self) -> None:
        """Lets go of what was opened since it was packed, with what has become of it."""
        self._state.close()
        if self._fill is not None:
            self._fill.close()

    @property
    def size(self) -> int:
        """How many bytes it is packed into."""
        return len(self._state.packed) + (len(self._fill.packed) if self._fill is not None else 0)


class _Half:
    """A state, open or packed or both; what is open counts."""

    __slots__ = ("open", "packed")

    def __init__(self, state: ProfileState | bytes) -> None:
        self.packed = state if isinstance(state, bytes) else b""
        self.open = None if isinstance(state, bytes) else state

    def opened(self, known: Container[str] | None) -> ProfileState:
        state = self.open = decode(self.packed)
        if known is not None:
            for name in [name for name in state.segments if name not in known]:
                del state.segments[name]
        return state

    def pack(self) -> bytes:
        if self.open is not None:
            self.packed, self.open = encode(self.open), None
        return self.packed

    def close(self) -> None:
        if self.packed:
            self.open = None

"""What every fault is."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass

from tests.chaos.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(ABC):
    """Something that goes wrong; all that it leaves open it draws from its own seed."""

    seed: int

    @abstractmethod
    def __str__(self) -> str:
        """Say what it does, in a few words for the report."""

    @abstractmethod
    async def strike(self, scene: Scene) -> None:
        """Do it, measure what was promised for it, and mend it."""

    @property
    def kind(self) -> str:
        """The name of this kind of fault."""
        return type(self).__name__

    def chance(self) -> random.Random:
        """Chance, the same each time."""
        return random.Random(self.seed)

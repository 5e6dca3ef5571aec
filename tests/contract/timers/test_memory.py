"""The delay queue in memory keeps the contract."""

from __future__ import annotations

import pytest
from hairspring.timers.memory import MemoryDelayQueue

from tests.contract.timers.timer_contract import ManualClock, Subject, TimerContract


class TestMemory(TimerContract):
    @pytest.fixture
    def empty(self) -> Subject:
        """An empty queue on the heap."""
        clock = ManualClock()
        queue = MemoryDelayQueue(clock)

        async def lose() -> None:
            queue.forget()

        return Subject(queue=queue, clock=clock, lose=lose)

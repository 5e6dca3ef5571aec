"""The log in memory keeps the contract."""

from __future__ import annotations

import time

import pytest
from hairspring.log.memory import MemoryLog
from hairspring.log.port import LogError

from tests.contract.log.linking_contract import MERGING, LinkingContract
from tests.contract.log.log_contract import LogContract, entry


class TestMemory(LogContract):
    @pytest.fixture
    def log(self) -> MemoryLog:
        """An empty log on the machine's clock."""
        return MemoryLog(lambda: time.time_ns() // 1_000_000)

    async def test_there_are_no_transactions(self, log: MemoryLog) -> None:
        """To append inside a transaction is refused."""
        with pytest.raises(LogError):
            await log.append_in(None, [entry()])

    async def test_a_clock_that_goes_back_moves_nothing_back(self) -> None:
        """The time of acceptance stays when the clock goes back."""
        now = [5_000]
        log = MemoryLog(lambda: now[0])
        (first,) = await log.append([entry()])
        now[0] = 4_000
        (second,) = await log.append([entry()])
        assert (first.accepted_at, second.accepted_at) == (5_000, 5_000)


class TestMemoryLinking(LinkingContract):
    @pytest.fixture
    def linking(self) -> MemoryLog:
        """An empty log that merges, on the machine's clock."""
        return MemoryLog(lambda: time.time_ns() // 1_000_000, merging=MERGING)

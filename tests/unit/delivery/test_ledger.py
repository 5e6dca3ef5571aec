"""The ledger waits for the end of its own effects that got no answer."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hairspring.ownership.memory import MemoryOwnership, MemoryShards
from hairspring.services.delivery.adapters.memory import MemoryDeliveryStore, MemoryTransaction
from hairspring.services.delivery.ledger import Ledger

from tests.unit.delivery.making import a_run


class Doubtful(MemoryDeliveryStore):
    """The first transaction gets no answer; it is committed once the next one waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.pending: Callable[[], None] | None = None
        self._first = True

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[MemoryTransaction]:
        if self._first:
            self._first = False
            transaction = MemoryTransaction(self)
            yield transaction
            self.pending = transaction.commit
            raise ConnectionResetError("the connection broke")
        async with super().begin() as transaction:
            if self.pending is not None:
                self.pending()
            yield transaction


async def test_a_turn_after_an_effect_without_an_answer_reads_what_became_of_it():
    """Who decides next sees the rows that were written, though the writer was told of a failure."""
    store = Doubtful()
    ownership = MemoryOwnership("one", MemoryShards(8, lambda: 0))
    ledger = Ledger(store, ownership)
    ledger.take(await ownership.acquire())
    run = a_run()
    with pytest.raises(ConnectionResetError):
        async with ledger.turn(), ledger.effect([run.shard]) as connection:
            await store.save_runs(connection, [run])

    async with ledger.turn():
        assert list(store.runs.values()) == [run]

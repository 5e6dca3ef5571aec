"""The background: what waits to be folded anew, a few profiles at a time, beside live work."""

import asyncio
from collections.abc import Collection, Sequence

from hairspring.services.rule_evaluator.adopting import Adopting
from hairspring.services.rule_evaluator.histories import Found, Histories
from hairspring.services.rule_evaluator.quarantine import Quarantine
from hairspring.services.rule_evaluator.setting_aside import may_be_poison
from hairspring.services.rule_evaluator.work import Inbox, portions
from hairspring.store.port import FILL, Rebuild, SegmentStore

REBUILDS_AT_ONCE = 100
#: What is filled takes one part in so many of the time while there is live work.
FILLING_SHARE = 4
LIVE_SECONDS = 0.25  #: How recent work has to be for that.


class Background:
    """Reads the histories of waiting rebuilds of the shards that are owned, and has them folded."""

    def __init__(
        self,
        owned: Collection[int],
        *,
        store: SegmentStore,
        histories: Histories,
        inbox: Inbox,
        adopting: Adopting,
        quarantine: Quarantine,
    ) -> None:
        self._owned = owned
        self._store = store
        self._histories = histories
        self._inbox = inbox
        self._adopting = adopting
        self._quarantine = quarantine
        self._live_at = 0.0
        self._noticed = asyncio.Event()

    def notice(self) -> None:
        """Tells that there may be rebuilds that can be done."""
        self._noticed.set()

    def note_live(self) -> None:
        """Tells that there was live work just now."""
        self._live_at = asyncio.get_running_loop().time()

    def rest(self, taken: float) -> float:
        """How many seconds live work has to itself after what took so long for a filling."""
        live = asyncio.get_running_loop().time() - self._live_at < LIVE_SECONDS
        return (FILLING_SHARE - 1) * taken if live else 0.0

    async def run(self) -> None:
        """Goes on for ever: reads ahead, and hands out what was read portion by portion."""
        self.notice()
        while True:
            self._noticed.clear()
            while ready := await self._store.ready(list(self._owned), REBUILDS_AT_ONCE):
                await self._fold(ready)
            self._histories.let_go()
            self._adopting.notice()
            await self._noticed.wait()

    async def _fold(self, ready: Sequence[Rebuild]) -> None:
        time = asyncio.get_running_loop().time
        began = time()
        histories = await self._read_ahead(ready)
        taken = time() - began
        for folding in portions(ready, histories):
            self._inbox.fold(folding)
            await folding.done
            if ready[0].cause == FILL:
                await asyncio.sleep(self.rest(taken + folding.seconds))
                taken = 0.0

    async def _read_ahead(self, ready: Sequence[Rebuild]) -> Found:
        """Reads the histories of rebuilds; what cannot be read is left to the turn to set aside."""
        todo = [rebuild for rebuild in ready if rebuild.key not in self._quarantine.held]
        try:
            stored = await self._store.load({rebuild.key for rebuild in todo})
            return await self._histories.read_ahead(todo, stored)
        except Exception as error:
            if not may_be_poison(error):
                raise
            return {}

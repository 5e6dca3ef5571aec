"""Retrying: a profile of which something is set aside is folded anew, from all that is recorded."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from hairspring.engine.state import ProfileState, SegmentState
from hairspring.runtime.clock import Clock
from hairspring.services.rule_evaluator.folding import Fold
from hairspring.services.rule_evaluator.histories import Histories
from hairspring.services.rule_evaluator.quarantine import Quarantine, pause_ms
from hairspring.services.rule_evaluator.setting_aside import bounded, may_be_poison
from hairspring.store.encoding import UnreadableState
from hairspring.store.port import Effects, Key, Rebuild, SegmentStore, Stored
from hairspring.store.quarantine import InVain, Retry

CAUSE = "quarantine"


class Retrying:
    """Folds profiles anew, each by itself, so that one that raises again harms no other."""

    def __init__(
        self,
        store: SegmentStore,
        fresh: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Stored]]],
        histories: Histories,
        new_fold: Callable[[dict[Key, Stored]], Fold],
        quarantine: Quarantine,
        clock: Clock,
    ) -> None:
        self._store = store
        self._fresh = fresh
        self._histories = histories
        self._new_fold = new_fold
        self._quarantine = quarantine
        self._clock = clock

    async def retry(self, retries: Sequence[Retry], position: int) -> tuple[Fold, Effects]:
        """What follows from profiles' histories up to `position`, where everybody stands."""
        whole = self._new_fold({})
        released: list[Key] = []
        in_vain: list[InVain] = []
        for one in retries:
            try:
                whole.absorb(await self._anew(one, position))
                released.append(one.key)
            except Exception as error:
                if not may_be_poison(error):
                    raise
                in_vain.append(self._in_vain(one, error))
        effects = whole.effects({}, position)
        effects.released, effects.in_vain = released, in_vain
        return whole, effects

    async def _anew(self, one: Retry, position: int) -> Fold:
        key = one.key
        try:
            stored = (await self._fresh([key]))[key]
        except UnreadableState:
            stored = Stored(state=ProfileState())
            standing = await self._store.standing(key)
        else:
            standing = {}
        todo = Rebuild(key=key, cause=CAUSE, position=position)
        history = (await self._histories.read([todo], {key: stored}))[todo].events
        through = max((event.accepted_at for event in history), default=0)
        if standing:
            stored.state = as_told(standing, through)
        fold = self._new_fold({key: stored})
        fold.anew(key, history, through=through, with_flows=one.with_flows)
        fold.effects({}, position)  # what cannot be written is no better
        return fold

    def _in_vain(self, one: Retry, error: Exception) -> InVain:
        now = self._clock()
        again = now + pause_ms(one.retries + 1) if one.key in self._quarantine.held else None
        said = bounded(f"{type(error).__name__}: {error}", 500)
        return InVain(key=one.key, at=now, error=said, retry_at=again)


def as_told(standing: Mapping[str, int], clock: int) -> ProfileState:
    """A state that nobody can read, as far as it was told: what differs is told at `clock`."""
    segments = {
        name: SegmentState(member=True, entered_at=at, enter_held=True)
        for name, at in standing.items()
    }
    return ProfileState(clock=clock, born_at=clock, segments=segments)

"""The profiles that a term keeps in memory, so that most turns need not read any."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping

from hairspring.services.rule_evaluator.plans import Plans
from hairspring.store.port import Key, SegmentStore, Stored

KEPT_PROFILES = 50_000


class Kept:
    """Gives profiles as they stand after what was committed last; `plans` are those by shard."""

    def __init__(self, store: SegmentStore, plans: Mapping[int, Plans]) -> None:
        self._store = store
        self._plans = plans
        self._profiles: OrderedDict[Key, Stored] = OrderedDict()

    async def load(self, keys: Collection[Key]) -> dict[Key, Stored]:
        """Gives profiles from memory, and from the store what is not there."""
        kept = self._profiles
        missing = [key for key in keys if key not in kept]
        if missing:
            kept.update(self._cleared(await self._store.load(missing)))
        found = {}
        for key in keys:
            kept.move_to_end(key)
            found[key] = kept[key]
        while len(kept) > max(KEPT_PROFILES, len(found)):
            kept.popitem(last=False)
        return found

    async def fresh(self, keys: Collection[Key]) -> dict[Key, Stored]:
        """Gives profiles as they are stored, and keeps none: to be tried with."""
        return self._cleared(await self._store.load(keys))

    def forget(self, keys: Iterable[Key]) -> None:
        """Lets go of profiles, to be read anew."""
        for key in keys:
            self._profiles.pop(key, None)

    def clear(self) -> None:
        """Lets go of all."""
        self._profiles.clear()

    def _cleared(self, loaded: dict[Key, Stored]) -> dict[Key, Stored]:
        """Forgets how profiles stood to segments that are gone."""
        for key, stored in loaded.items():
            plan = self._plans[key.shard].by_workspace.get(key.workspace)
            segments = stored.state.segments
            for name in segments.keys() - (plan.number.keys() if plan is not None else ()):
                del segments[name]
        return loaded

"""The profiles that a term keeps in memory, so that most turns need not read any."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from itertools import islice

from hairspring.services.rule_evaluator.plans import Plans
from hairspring.store.port import Key, SegmentStore, Stored

KEPT_BYTES = 256 * 1024 * 1024
PROFILE_BYTES = 600  #: What a profile takes beside its packed state, about.
SIZED = 50  #: Of how many profiles in a turn the size is looked at, at most.
SIZED_BY = 1_000  #: By how many their size is known for good.


class Kept:
    """Gives profiles as they stand after what was committed last; `plans` are those by shard."""

    def __init__(self, store: SegmentStore, plans: Mapping[int, Plans]) -> None:
        self._store = store
        self._plans = plans
        self._profiles: OrderedDict[Key, Stored] = OrderedDict()
        self._size = float(PROFILE_BYTES)

    async def load(self, keys: Collection[Key]) -> dict[Key, Stored]:
        """Gives profiles from memory, and from the store what is not there."""
        kept = self._profiles
        missing = [key for key in keys if key not in kept]
        if missing:
            kept.update(self._cleared(await self._store.load(missing)))
        found = {key: kept[key] for key in keys}
        for key in found:
            kept.move_to_end(key)
        self._make_room(found)
        return found

    async def fresh(self, keys: Collection[Key]) -> dict[Key, Stored]:
        """Gives profiles as they are stored, opened, and keeps none: to be tried with.

        Raises UnreadableState.
        """
        found = self._cleared(await self._store.load(keys))
        for stored in found.values():
            stored.state, stored.fill  # noqa: B018 - reading them opens them
        return found

    def forget(self, keys: Iterable[Key]) -> None:
        """Lets go of profiles, to be read anew."""
        for key in keys:
            self._profiles.pop(key, None)

    def forget_shards(self, shards: Collection[int]) -> None:
        """Lets go of all profiles of shards."""
        wanted = frozenset(shards)
        self.forget([key for key in self._profiles if key.shard in wanted])

    def clear(self) -> None:
        """Lets go of all."""
        self._profiles.clear()

    def _cleared(self, loaded: dict[Key, Stored]) -> dict[Key, Stored]:
        """Has it forgotten how profiles stood to segments that are gone."""
        for key, stored in loaded.items():
            plan = self._plans[key.shard].by_workspace.get(key.workspace)
            stored.known = plan.number if plan is not None else ()
        return loaded

    def _make_room(self, used: Mapping[Key, Stored]) -> None:
        """Lets go of those that were not used for longest, by the size that profiles have."""
        if not used:
            return
        some = [stored.size for stored in islice(used.values(), SIZED)]
        size = sum(some) / len(some) + PROFILE_BYTES
        self._size += (size - self._size) * min(1.0, len(some) / SIZED_BY)
        most = max(int(KEPT_BYTES / self._size), len(used))
        while len(self._profiles) > most:
            self._profiles.popitem(last=False)

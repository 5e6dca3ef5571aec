"""What is set aside, in memory."""

from collections.abc import Collection
from dataclasses import replace

from hairspring.store.port import Effects, Key
from hairspring.store.quarantine import Mark, Retry, SetAside

_Name = tuple[Key, int, str]


class MemoryQuarantine:
    """Keeps what is set aside in a dictionary."""

    def __init__(self) -> None:
        self._entries: dict[_Name, SetAside] = {}

    def write(self, effects: Effects) -> None:
        """Write the part of the effects that is about quarantine."""
        for one in effects.set_aside:
            self._set_aside(one)
        for tried in effects.in_vain:
            for name in self._of(tried.key):
                entry = self._entries[name]
                self._entries[name] = replace(
                    entry,
                    retries=entry.retries + 1,
                    retried_at=tried.at,
                    retry_error=tried.error,
                    retry_at=tried.retry_at,
                    wanted=False,
                )
        for key in effects.released:
            self.drop(key)

    def drop(self, key: Key) -> int:
        """Drop all of a profile, and answer how much that was."""
        names = self._of(key)
        for name in names:
            del self._entries[name]
        return len(names)

    def marks(self, shards: Collection[int]) -> dict[Key, Mark]:
        """Tell which profiles have anything set aside."""
        found: dict[Key, Mark] = {}
        for one in self._entries.values():
            if one.key.shard in shards:
                before = found.get(one.key, Mark(holds=False, entries=0))
                found[one.key] = Mark(before.holds or one.holds, before.entries + 1)
        return found

    def retries(self, shards: Collection[int], now: int) -> list[Retry]:
        """Tell which profiles are to be folded anew."""
        found: dict[Key, Retry] = {}
        for one in self._entries.values():
            due = one.retry_at is not None and one.retry_at <= now
            if one.key.shard in shards and (one.wanted or due):
                found[one.key] = Retry(one.key, one.retries, one.with_flows)
        return list(found.values())

    def want_retry(
        self, workspace: str, profiles: Collection[str] | None, *, with_flows: bool
    ) -> list[Retry]:
        """Ask that profiles be folded anew."""
        found: dict[Key, Retry] = {}
        for name, one in self._entries.items():
            if one.key.workspace != workspace:
                continue
            if profiles is None or one.key.profile in profiles:
                self._entries[name] = replace(one, wanted=True, with_flows=with_flows)
                found[one.key] = Retry(one.key, one.retries, with_flows)
        return sorted(found.values(), key=lambda retry: retry.key.profile)

    def page(
        self, workspace: str, profile: str | None, after: tuple[str, int, str]
    ) -> list[SetAside]:
        """List what is set aside."""
        found = [
            one
            for one in self._entries.values()
            if one.key.workspace == workspace
            and profile in (None, one.key.profile)
            and _place(one) > after
        ]
        return sorted(found, key=_place)

    def _set_aside(self, one: SetAside) -> None:
        name = (one.key, one.position, one.what.value)
        before = self._entries.get(name)
        if before is None:
            self._entries[name] = one
            return
        self._entries[name] = replace(
            before,
            holds=before.holds or one.holds,
            error_type=one.error_type,
            error_message=one.error_message,
            traceback=one.traceback,
            tries=before.tries + one.tries,
            retry_at=one.retry_at,
        )

    def _of(self, key: Key) -> list[_Name]:
        return [name for name in self._entries if name[0] == key]


def _place(one: SetAside) -> tuple[str, int, str]:
    return one.key.profile, one.position, one.what.value

"""Holds each key to as many events a second as it may bring."""

import time
from collections import OrderedDict
from collections.abc import Callable

from hairspring.runtime.errors import Exhausted
from hairspring.runtime.keys import Caller
from hairspring.runtime.rates import Bucket, take

MOST_KEYS = 10_000


class Limits:
    """The buckets of the keys that this process has seen, the latest of them.

    `usual` is how many events a second a key may bring that says nothing else; 0 for any number.
    """

    def __init__(self, usual: int = 0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._usual = usual
        self._now = monotonic
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, caller: Caller, events: int) -> None:
        """Count events against a key. Raises Exhausted, with when to try again."""
        per_second = caller.events_per_second or self._usual
        if not per_second or caller.workspace is None:
            return
        taken = take(
            self._buckets.get(caller.key_id),
            now=self._now(),
            events=events,
            per_second=per_second,
        )
        self._buckets[caller.key_id] = taken.bucket
        self._buckets.move_to_end(caller.key_id)
        if len(self._buckets) > MOST_KEYS:
            self._buckets.popitem(last=False)
        if taken.wait_ms:
            raise Exhausted(
                f"this key may bring {per_second} events a second; try again after "
                f"{taken.wait_ms} ms",
                retry_ms=taken.wait_ms,
                key_id=caller.key_id,
            )

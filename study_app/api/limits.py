"""How often one participant may ask: a token bucket each, kept in bounded memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

BURST = 200
RATE = 50.0
"""Requests a second in the long run. A person with a player makes two or three."""

MAX_KEYS = 20_000


class RateLimit:
    """At most `burst` requests at once and `rate` a second for each key.

    Kept in memory, for each server process on its own. Of more than `max_keys` keys the one that
    was quiet for longest is forgotten: it then has a full bucket again.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        burst: float = BURST,
        rate: float = RATE,
        max_keys: int = MAX_KEYS,
    ) -> None:
        self._clock = clock
        self._burst = burst
        self._rate = rate
        self._max_keys = max_keys
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # left, at which time

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._buckets)

    def wait_s(self, key: str) -> float:
        """Take one request of `key`: 0, or the seconds after which one will be taken."""
        now = self._clock()
        left, then = self._buckets.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._buckets[key] = (left if wait else left - 1, now)
        if len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)
        return wait

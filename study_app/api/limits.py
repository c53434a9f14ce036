"""How often one key (a participant, an address) may do something, kept in bounded memory."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

BURST = 200
RATE = 50.0
"""Requests a second in the long run. A person with a player makes two or three."""

MAX_ATTEMPTS = 10
"""Wrong passwords from one address in any `ATTEMPT_WINDOW_S` seconds."""
ATTEMPT_WINDOW_S = 300.0

CONSENTS_AT_ONCE = 400
"""A lecture hall behind one address."""
CONSENTS_PER_SECOND = 2.0

MAX_KEYS = 20_000


class RateLimit:
    """At most `burst` times at once and `rate` times a second for each key.

    Every time that is taken comes back: `1 / rate` seconds after the one before it, and not before
    `window_s` seconds have passed. Without a window that is a token bucket; with a window and no
    rate, at most `burst` times in any `window_s` seconds.

    Kept in memory, for each server process on its own. Of more than `max_keys` keys the one that
    was quiet for longest is forgotten: it then has all its times again. Not for several threads.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        burst: int = BURST,
        rate: float = RATE,
        window_s: float = 0.0,
        max_keys: int = MAX_KEYS,
    ) -> None:
        self._clock = clock
        self._burst = burst
        self._apart_s = 1 / rate
        self._away_s = max(window_s, self._apart_s)
        self._max_keys = max_keys
        self._taken: OrderedDict[str, list[float]] = OrderedDict()  # when each comes back

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._taken)

    def wait_s(self, key: str) -> float:
        """Take one time of `key`: 0, or the seconds after which one will be there to take."""
        now = self._clock()
        taken = [back for back in self._taken.pop(key, ()) if back > now]
        wait = 0.0
        if len(taken) >= self._burst:
            wait = taken[0] - now if taken else self._away_s
        else:
            before = taken[-1] if taken else now
            taken.append(max(now + self._away_s, before + self._apart_s))
        self._taken[key] = taken
        if len(self._taken) > self._max_keys:
            self._taken.popitem(last=False)
        return wait

    def give_back(self, key: str) -> None:
        """Undo the last taking of `key`: it does not count."""
        if taken := self._taken.get(key):
            taken.pop()


def login_limit(clock: Callable[[], float] = time.monotonic) -> RateLimit:
    """Return the limit of `MAX_ATTEMPTS` wrong passwords in any `ATTEMPT_WINDOW_S` seconds."""
    return RateLimit(clock, burst=MAX_ATTEMPTS, rate=math.inf, window_s=ATTEMPT_WINDOW_S)


def consent_limit(
    at_once: int = CONSENTS_AT_ONCE,
    per_second: float = CONSENTS_PER_SECOND,
    clock: Callable[[], float] = time.monotonic,
) -> RateLimit:
    """Return the limit of consents from one address (`network_of`)."""
    return RateLimit(clock, burst=at_once, rate=per_second)


def network_of(host: str) -> str:
    """Return what of an address stands for its sender: of IPv6 the first 64 bits.

    Whoever has one IPv6 address has as many as there are below them.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), 64), strict=False))

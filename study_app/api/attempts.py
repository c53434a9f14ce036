"""Who may try the researchers' password, when, and in which order."""

from __future__ import annotations

import asyncio
import hmac
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from study_app.api.limits import RateLimit, login_limit, network_of

MAX_IN_ALL = 100
"""Wrong passwords in any five minutes, wherever from; then one every three seconds."""
PER_SECOND = MAX_IN_ALL / 300

MAX_WAITING = 20
"""Attempts that wait for their turn; a check takes a tenth of a second and 16 MB."""

MAX_LISTED = 10
LISTED_S = 3600.0
"""Refused logins that the audit log lists one by one in an hour; the others it counts."""

MAX_KNOWN = 1000


class TooManyError(Exception):
    """An attempt is not taken.

    Args:
        wait_s: after how long it may be.
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many attempts; wait {wait_s:.0f} s")
        self.wait_s = wait_s


@dataclass
class Attempt:
    """One attempt: it counts, unless it is found that it should not.

    Attributes:
        counts: whether it does; set to False for a right password, and for one not checked.
    """

    counts: bool = True


@dataclass(order=True)
class _Waiting:
    """An attempt in the queue, by the order in which they go."""

    place: tuple[bool, int]
    turn: asyncio.Future[None] = field(compare=False)


class Attempts:
    """Gives attempts their turn: one at a time, so many from an address, so many in all.

    An attempt counts before it is checked, however many are on their way. Those from where
    somebody has logged in before go first, and do not count for strangers. In memory, for each
    server process on its own. Not for several threads; one event loop.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.by_origin = login_limit(clock)
        self.in_all = RateLimit(clock, burst=MAX_IN_ALL, rate=PER_SECOND)
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="password")
        self._listed = RateLimit(clock, burst=MAX_LISTED, rate=math.inf, window_s=LISTED_S)
        self._unlisted = 0
        self._known: OrderedDict[str, None] = OrderedDict()
        self._queue: list[_Waiting] = []
        self._number = 0
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def turn(self, address: str, browser: str | None = None) -> AsyncIterator[Attempt]:
        """Wait for the turn of an attempt, and have it until the block ends.

        Args:
            address: where it comes from.
            browser: the name of a browser in which somebody has logged in before.

        Raises:
            TooManyError: too many came from there, or wait already.
        """
        network = network_of(address)
        origin = f"browser {browser}" if browser else network
        if wait := self.by_origin.wait_s(origin):
            raise TooManyError(wait)
        attempt = Attempt(counts=False)
        try:
            await self._wait(known=browser is not None or network in self._known)
            attempt.counts = True
            try:
                yield attempt
            finally:
                self._busy = False
                if not attempt.counts:
                    self.in_all.give_back("")
                self._call_next()
        finally:
            if not attempt.counts:
                self.by_origin.give_back(origin)

    def remember(self, address: str) -> None:
        """Somebody has logged in from there."""
        network = network_of(address)
        self._known[network] = None
        self._known.move_to_end(network)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def listed(self) -> int | None:
        """Return how many refusals the audit log lacks if it should list this one; else None."""
        if self._listed.wait_s(""):
            self._unlisted += 1
            return None
        return self.taken_unlisted()

    def taken_unlisted(self) -> int:
        """Return how many refusals the audit log lacks, and begin to count anew."""
        lacking, self._unlisted = self._unlisted, 0
        return lacking

    async def _wait(self, *, known: bool) -> None:
        self._number += 1
        future = asyncio.get_running_loop().create_future()
        waiting = _Waiting((not known, self._number), future)
        self._queue.append(waiting)
        self._queue.sort()
        self._call_next()
        if len(self._queue) > MAX_WAITING:
            last = self._queue.pop()
            last.turn.set_exception(TooManyError(MAX_WAITING / PER_SECOND))
        try:
            await future
        except asyncio.CancelledError:
            if future.cancelled():
                self._queue = [each for each in self._queue if each is not waiting]
            else:  # it was called, and will not come
                self._busy = False
                self.in_all.give_back("")
                self._call_next()
            raise

    def _call_next(self) -> None:
        """Give the first in the queue its turn, when nobody has it and there is one in all."""
        while self._queue and self._queue[0].turn.done():  # gone meanwhile
            self._queue.pop(0)
        if self._busy or not self._queue or self._timer is not None:
            return
        if wait := self.in_all.wait_s(""):
            self._timer = asyncio.get_running_loop().call_later(wait, self._again)
            return
        self._busy = True
        self._queue.pop(0).turn.set_result(None)

    def _again(self) -> None:
        self._timer = None
        self._call_next()


def browser_name(key: bytes, cookie: str | None) -> str | None:
    """Return which browser a cookie of `new_browser` names; None for any other text."""
    name, _, seal = (cookie or "").partition(".")
    expected = _seal(key, name)
    return name if name and hmac.compare_digest(seal.encode(), expected.encode()) else None


def new_browser(key: bytes) -> str:
    """Return a cookie for a browser in which somebody has logged in; nobody can make it up."""
    name = secrets.token_hex(16)
    return f"{name}.{_seal(key, name)}"


def _seal(key: bytes, name: str) -> str:
    return hmac.digest(key, f"researcher's browser {name}".encode(), "sha256").hex()

"""Whose turn it is to try a password, and what stands for one person."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from study_app.api.attempts import (
    MAX_IN_ALL,
    MAX_WAITING,
    Attempts,
    TooManyError,
    browser_name,
    new_browser,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` on a thread of its own: a browser test's loop may be running in this one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def test_beyond_the_bound_for_all_attempts_wait_and_those_who_are_known_go_first() -> None:
    """The queue by itself: who gets the turn, and who is told to come back."""
    clock = Clock()
    tried = Attempts(clock)
    went: list[str] = []

    async def one(address: str, browser: str | None = None, *, right: bool = False) -> None:
        try:
            async with tried.turn(address, browser) as attempt:
                went.append(browser or address)
                attempt.counts = not right
        except TooManyError:
            went.append(f"{address} not")

    async def whole() -> None:
        for number in range(MAX_IN_ALL):
            await one(f"192.0.2.{number}")
        tried.remember("198.51.100.7")
        went.clear()
        strangers = [asyncio.create_task(one(f"2001:db8:{n}::1")) for n in range(MAX_WAITING)]
        await asyncio.sleep(0)
        known = asyncio.create_task(one("198.51.100.7"))
        same = asyncio.create_task(one("2001:db8:0::2", "laptop"))
        gone = asyncio.create_task(one("203.0.113.1", "phone"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        # Two strangers gave way; the third whom the phone displaced had no place to go back to.
        assert went == [f"2001:db8:{n}::1 not" for n in (19, 18, 17)]
        went.clear()
        while not (known.done() and same.done()):
            clock.now += 3
            assert tried._timer is not None
            tried._timer.cancel()
            tried._again()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert went[:2] == ["198.51.100.7", "laptop"]
        for task in strangers:
            task.cancel()

    run(whole())


def test_a_right_password_gives_back_what_it_took_of_all() -> None:
    tried = Attempts(Clock())

    async def right() -> None:
        for _ in range(MAX_IN_ALL + 5):
            async with asyncio.timeout(5), tried.turn("192.0.2.1") as attempt:
                attempt.counts = False

    run(right())


def test_a_browsers_name_cannot_be_made_up() -> None:
    made = new_browser(b"key")
    name = browser_name(b"key", made)
    assert name is not None
    assert made.startswith(name)
    for other in (None, "", ".", "a.b", name, f"{name}.", f"{name[:-1]}x.{made.partition('.')[2]}"):
        assert browser_name(b"key", other) is None
    assert browser_name(b"another", made) is None

"""How often a password may be tried, and that participants do not wait for those who try."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

import httpx2
import pytest
from databases import on_sqlite
from lab import PASSWORD, Lab

from db import repository
from db.errors import DatabaseError
from db.models import AuditEntry
from study_app.api.attempts import MAX_LISTED, MAX_WAITING, Attempts
from study_app.api.limits import ATTEMPT_WINDOW_S, MAX_ATTEMPTS
from study_app.api.researcher import BROWSER_COOKIE

AT_ONCE = 60

T = TypeVar("T")

pytestmark = on_sqlite  # what is kept in memory does not depend on the database


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(lab: Lab) -> Clock:
    """The clock of the limits of logins."""
    made, app = Clock(), lab.client.app
    app.state.context = replace(app.state.context, attempts=Attempts(made))
    return made


class Checks:
    """Counts the password checks that run, and how many at the same time."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self._check, self._meanwhile = repository.check_password, meanwhile
        self._lock = threading.Lock()
        self.running = self.most = self.count = 0

    def __call__(self, *given: Any, **words: Any) -> Any:
        with self._lock:
            self.running += 1
            self.count += 1
            self.most = max(self.most, self.running)
        try:
            self._meanwhile()
            return self._check(*given, **words)
        finally:
            with self._lock:
                self.running -= 1


def attempt(lab: Lab, password: str) -> int:
    return lab.client.post("/api/login", json={"password": password}).status_code


def client(lab: Lab, address: str) -> httpx2.AsyncClient:
    app = httpx2.ASGITransport(lab.client.app, client=(address, 1))
    return httpx2.AsyncClient(transport=app, base_url="http://testserver")


async def attempts(lab: Lab, addresses: list[str], password: str) -> list[int]:
    """The statuses of one attempt from each address, all at once."""

    async def one(address: str) -> int:
        async with client(lab, address) as browser:
            return (await browser.post("/api/login", json={"password": password})).status_code

    return await asyncio.gather(*(one(address) for address in addresses))


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on a thread of its own: a browser test's loop may be running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def test_of_many_wrong_passwords_at_once_no_more_are_checked_than_one_after_the_other(
    lab: Lab, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = Checks(meanwhile=lambda: time.sleep(0.001))  # another thread would come in between
    monkeypatch.setattr(repository, "check_password", checks)
    statuses = run(attempts(lab, ["192.0.2.1"] * AT_ONCE, "guess"))
    assert Counter(statuses) == {401: MAX_ATTEMPTS, 429: AT_ONCE - MAX_ATTEMPTS}
    assert (checks.count, checks.most) == (MAX_ATTEMPTS, 1)
    assert run(attempts(lab, ["192.0.2.1", "192.0.2.2"], PASSWORD)) == [429, 200]


def test_participants_do_not_wait_for_passwords_to_be_checked(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(repository, "check_password", Checks(meanwhile=go_on.wait))
    person = lab.participant()

    async def visit() -> tuple[int, list[int]]:
        addresses = [f"192.0.2.{number}" for number in range(AT_ONCE)]
        trying: Coroutine[Any, Any, list[int]] = attempts(lab, addresses, "guess")
        waiting = asyncio.create_task(trying)
        while len(lab.client.app.state.context.attempts.by_origin) < AT_ONCE:
            await asyncio.sleep(0)
        try:
            async with client(lab, "198.51.100.1") as browser, asyncio.timeout(10):
                answer = await browser.get("/api/trials", headers=person.headers)
        finally:
            go_on.set()
        return answer.status_code, await waiting

    status, tried = run(visit())
    assert status == 200
    assert Counter(tried) == {401: 1 + MAX_WAITING, 429: AT_ONCE - 1 - MAX_WAITING}


def test_a_browser_that_was_logged_in_is_not_locked_out_by_its_neighbours(
    lab: Lab, clock: Clock
) -> None:
    assert attempt(lab, PASSWORD) == 200
    mine = lab.client.cookies[BROWSER_COOKIE]
    lab.client.cookies.clear()
    assert [attempt(lab, "guess") for _ in range(MAX_ATTEMPTS + 1)][-2:] == [401, 429]
    assert attempt(lab, PASSWORD) == 429
    lab.client.cookies.set(BROWSER_COOKIE, "x" + mine)
    assert attempt(lab, PASSWORD) == 429
    lab.client.cookies.clear()
    lab.client.cookies.set(BROWSER_COOKIE, mine)
    assert [attempt(lab, "guess") for _ in range(MAX_ATTEMPTS + 1)][-2:] == [401, 429]


def test_refused_logins_do_not_fill_the_audit_log(lab: Lab, clock: Clock) -> None:
    guesses = 3 * MAX_LISTED
    for _ in range(guesses):
        assert attempt(lab, "guess") == 401
        clock.now += ATTEMPT_WINDOW_S / MAX_ATTEMPTS
    assert attempt(lab, PASSWORD) == 200
    with lab.database.read() as s:
        entries = [
            (entry.action, entry.detail_json)
            for entry in s.query(AuditEntry).order_by(AuditEntry.id)
            if entry.action.startswith("login")
        ]
    lacking = f'{{"refusals not listed":{guesses - MAX_LISTED}}}'
    assert entries == [("login refused", "{}")] * MAX_LISTED + [("login", lacking)]


def test_a_right_password_costs_nothing(lab: Lab, clock: Clock) -> None:
    wrong = MAX_ATTEMPTS - 1
    assert [attempt(lab, "guess") for _ in range(wrong)] == [401] * wrong
    assert [attempt(lab, PASSWORD) for _ in range(3)] == [200] * 3
    lab.client.cookies.clear()
    assert [attempt(lab, "guess"), attempt(lab, PASSWORD)] == [401, 429]


def test_wrong_passwords_count_for_five_minutes_each(lab: Lab, clock: Clock) -> None:
    for _ in range(MAX_ATTEMPTS):
        assert attempt(lab, "guess") == 401
        clock.now += 1
    clock.now = ATTEMPT_WINDOW_S - 0.5
    refused = lab.client.post("/api/login", json={"password": PASSWORD})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    clock.now = ATTEMPT_WINDOW_S
    assert [attempt(lab, "guess"), attempt(lab, "guess")] == [401, 429]
    clock.now += 1
    assert [attempt(lab, PASSWORD), attempt(lab, "guess")] == [200, 401]


def test_a_password_that_could_not_be_checked_does_not_count(
    lab: Lab, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise DatabaseError("The disk is gone.")

    with monkeypatch.context() as patch:
        patch.setattr(repository, "check_password", broken)
        assert {attempt(lab, PASSWORD) for _ in range(MAX_ATTEMPTS + 1)} == {503}
    assert attempt(lab, PASSWORD) == 200

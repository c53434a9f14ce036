"""What every handler may use: it stands on the application as `app.state.context`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.requests import Request

from db.session import Database
from study_app.api.limits import RateLimit, consent_limit, login_limit
from study_app.installation import AppState


def _now() -> datetime:
    return datetime.now(UTC)


def _one_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="password")


@dataclass(frozen=True)
class Context:
    """The open resources of the process, and what the routes keep in memory beside them.

    Attributes:
        state: the database, the artifact store and the key.
        requests: how often one participant may ask, by the hash of their token.
        consents: how many one address may give.
        logins: how often one address may try a password.
        passwords: the thread that checks passwords, one at a time. A check takes as long as many
            requests, and memory besides; participants must not wait for it.
        now: the server's clock, with its time zone.
    """

    state: AppState
    requests: RateLimit = field(default_factory=RateLimit)
    consents: RateLimit = field(default_factory=consent_limit)
    logins: RateLimit = field(default_factory=login_limit)
    passwords: ThreadPoolExecutor = field(default_factory=_one_thread)
    now: Callable[[], datetime] = _now

    @property
    def database(self) -> Database:
        """The study database."""
        return self.state.database


def context(request: Request) -> Context:
    """Return what the handler of `request` may use."""
    found: Context = request.app.state.context
    return found

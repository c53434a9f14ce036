"""What every handler may use: it stands on the application as `app.state.context`."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.requests import Request

from db.session import Database
from study_app.api.attempts import Attempts
from study_app.api.limits import RateLimit, consent_limit
from study_app.installation import AppState


def _any_seed(nonce: str) -> int:
    """A seed that nobody can foretell."""
    return secrets.randbits(63)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Context:
    """The open resources of the process, and what the routes keep in memory beside them.

    Attributes:
        state: the database, the artifact store and the key.
        requests: how often one participant may ask, by the hash of their token.
        consents: how many one address may give.
        attempts: who may try a password, and the thread that checks one at a time.
        now: the server's clock, with its time zone.
        simulated: consents are to versions for simulated people, and to no others. Without it they
            are to versions for people only: no address of theirs leads into a simulation.
        seed_of: the seed of whoever consents with a nonce, in [0, 2**63).
    """

    state: AppState
    requests: RateLimit = field(default_factory=RateLimit)
    consents: RateLimit = field(default_factory=consent_limit)
    attempts: Attempts = field(default_factory=Attempts)
    now: Callable[[], datetime] = _now
    simulated: bool = False
    seed_of: Callable[[str], int] = _any_seed

    @property
    def database(self) -> Database:
        """The study database."""
        return self.state.database


def context(request: Request) -> Context:
    """Return what the handler of `request` may use."""
    found: Context = request.app.state.context
    return found

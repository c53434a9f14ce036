"""What the server does by itself: delete what has expired, and wipe what was deleted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db import repository
from db.errors import DatabaseError
from db.session import Database
from study_app.api.http import write
from study_app.installation import erasing

PURGE_S = 24 * 3600.0
LOOK_S = 2.0
"""How often it is asked whether anything is to be wiped: what was deleted may stay for a minute."""
AGAIN_S = 20.0
"""After the database could not be used."""

_log = logging.getLogger(__name__)


async def keep_up(database: Database) -> None:
    """Purge every day and wipe what is owed, until cancelled."""
    await asyncio.gather(
        _every(PURGE_S, lambda: write(database, purge)),
        _every(LOOK_S, lambda: asyncio.to_thread(wipe, database)),
    )


def wipe(database: Database) -> bool:
    """Wipe what is owed; see `study_app.installation.erasing`."""
    return erasing.wipe(database, datetime.now(UTC))


def finish(database: Database) -> None:
    """Wipe what is owed before the server stops; what cannot be now is when it next starts."""
    try:
        wipe(database)
    except DatabaseError as error:
        _log.error("%s", error)


def purge(s: Session) -> int:
    """Delete the raw provider ids whose time is over; note in the audit log how many there were."""
    now = datetime.now(UTC)
    gone = repository.delete_expired_identities(s, now=now)
    if gone:
        detail = {"provider ids": gone}
        repository.audit(s, actor="server", action="purge", detail=detail, now=now)
    return gone


async def _every(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    """Do `work` again and again; what keeps it from being done is logged once."""
    said = ""
    while True:
        try:
            await work()
            wait, said = seconds, ""
        except DatabaseError as error:
            if str(error) != said:
                _log.error("%s", error)
            wait, said = AGAIN_S, str(error)
        await asyncio.sleep(wait)

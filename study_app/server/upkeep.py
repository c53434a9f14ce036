"""What the server does by itself, when it starts and every day: delete what has expired."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db import repository
from db.errors import DatabaseError
from db.session import Database
from study_app.api.http import write

EVERY_S = 24 * 3600.0
AGAIN_S = 600.0
"""After the database could not be used."""

_log = logging.getLogger(__name__)


async def keep_up(database: Database) -> None:
    """Purge now and then every day, until cancelled."""
    while True:
        try:
            await write(database, purge)
            wait = EVERY_S
        except DatabaseError as error:
            _log.error("%s", error)
            wait = AGAIN_S
        await asyncio.sleep(wait)


def purge(s: Session) -> int:
    """Delete the raw provider ids whose time is over; note in the audit log how many there were."""
    now = datetime.now(UTC)
    gone = repository.delete_expired_identities(s, now=now)
    if gone:
        detail = {"provider ids": gone}
        repository.audit(s, actor="server", action="purge", detail=detail, now=now)
    return gone

"""What was deleted for somebody is wiped from the database's log and from the copies beside it."""

from __future__ import annotations

from datetime import datetime

from db import repository
from db.session import Database


def wipe(database: Database, now: datetime) -> bool:
    """Wipe what is owed, if anything is; return whether all of it is done.

    False while somebody reads what was there before, an export say: ask again soon. What is owed
    is stored, so that a process that is killed on the way leaves it to the next.

    Raises:
        DatabaseError: the database or a copy cannot be used. What could be wiped is.
    """
    with database.read() as s:
        owed = repository.owed_erasures(s)
    if not owed:
        return True
    emptied = database.wipe_log()
    database.wipe_copies(owed.people, now)
    if emptied:
        database.write(lambda s: repository.erased(s, owed))
    return emptied

"""Lets go of the sessions that Streamlit keeps for pages that were closed: three files each."""

from __future__ import annotations

import asyncio

from streamlit.runtime import Runtime, get_instance

EVERY_S = 5.0
"""Between two looks. A page whose network failed for less finds its session again; then a new one
begins, from what the page's address says."""


async def forget_dead_sessions(every_s: float = EVERY_S) -> None:
    """Close those that were dead already when last looked at, until cancelled.

    Streamlit itself lets 128 of them be, and looks at their age only when another page is closed.
    """
    before: set[str] = set()
    while True:
        await asyncio.sleep(every_s)
        runtime = get_instance()
        dead = _dead(runtime)
        for session in before & dead:
            runtime.close_session(session)
            await asyncio.sleep(0)  # a class may end at one moment, and others go on answering
        before = dead - before


def _dead(runtime: Runtime) -> set[str]:
    # Streamlit offers no list of them; the list of all is a method of its session managers.
    sessions = runtime._session_mgr.list_sessions()
    ids = (each.session.id for each in sessions)
    return {each for each in ids if not runtime.is_active_session(each)}

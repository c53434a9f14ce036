"""What anybody can make the server say in its log, said once a minute at most."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable

EVERY_S = 60.0
MOST_KINDS = 200

_UNTRUE = "ASGI callable returned without completing handshake."
"""uvicorn says so of every WebSocket that was refused with a status and a sentence."""


class OncePerMinute(logging.Filter):
    """Lets a line of each kind through, and those that follow within a minute only as a number.

    Of a kind are lines of one logger with the same text before anything is filled in, and the same
    place of an error. The disk that a log fills is the one that answers go to.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, every_s: float = EVERY_S
    ) -> None:
        super().__init__()
        self._clock, self._every_s = clock, every_s
        self._said: OrderedDict[tuple[object, ...], list[float]] = OrderedDict()  # when, kept back

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write `record`; add how many like it were kept back."""
        if record.msg == _UNTRUE:
            return False
        kind, now = _kind(record), self._clock()
        entry = self._said.setdefault(kind, [now - self._every_s, 0])
        if now - entry[0] < self._every_s:
            entry[1] += 1
            return False
        if entry[1]:
            record.msg = f"{record.msg} (and {entry[1]:.0f} more like it since the last time)"
        self._said[kind] = [now, 0]
        self._said.move_to_end(kind)
        if len(self._said) > MOST_KINDS:
            self._said.popitem(last=False)
        return True


def _kind(record: logging.LogRecord) -> tuple[object, ...]:
    error = record.exc_info[1] if record.exc_info else None
    trace = error.__traceback__ if error is not None else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace is not None else None
    text = record.getMessage() if record.msg == "%s" else str(record.msg)
    return record.name, record.levelno, text, type(error), place


def bound_logs() -> None:
    """Put the bound on what strangers can cause: lines of uvicorn, asyncio, Streamlit and routes.

    A filter holds for one logger, not for those below it, so each of Streamlit's is named.
    """
    bound = OncePerMinute()
    streamlits = [
        name for name in logging.Logger.manager.loggerDict if name.startswith("streamlit")
    ]
    for name in ("uvicorn.error", "asyncio", "study_app.api.http", *streamlits):
        logging.getLogger(name).addFilter(bound)

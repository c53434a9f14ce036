"""How many files the process may have open, and how many pages and connections that carries."""

from __future__ import annotations

import resource
from contextlib import suppress
from dataclasses import dataclass

from engine.errors import PlausiblyError

RESERVED = 160
"""Files that are neither a page's nor a connection's: the process's own, the database's for each
thread that reads (three at most), exports in the making, and connections that are being refused."""

FILES_OF_A_PAGE = 4
"""Of an open Streamlit page: its WebSocket, and the event loop of its session."""

PAGES_SHARE = 0.6
"""Of the room, for Streamlit's pages; the rest is for requests, and so for answers."""

FEW_PAGES = 500
"""A server that carries fewer says so when it starts."""

MOST_PAGES = 5000
MOST_CONNECTIONS = 20_000
"""More would cost memory: a page's session holds .15 MB, a connection's buffers some kilobytes."""


@dataclass(frozen=True)
class Room:
    """What a limit of open files carries.

    Attributes:
        files: the limit.
        pages: Streamlit pages open at once.
        connections: connections beside them, idle ones included.
    """

    files: int
    pages: int
    connections: int

    def warning(self) -> str | None:
        """Return the sentence for who starts the server, if it carries few pages."""
        if self.pages >= FEW_PAGES:
            return None
        return (
            f"Room for {self.pages} open pages and {self.connections} connections: this process "
            f"may open {self.files} files. Further pages get a 503 and a sentence. For more, raise "
            "the hard limit (LimitNOFILE= of systemd, --ulimit nofile= of Docker, ulimit -Hn)."
        )


def room_of(files: int) -> Room:
    """Return what `files` open files carry.

    Raises:
        PlausiblyError: too few for any study.
    """
    if files < RESERVED + 64:
        raise PlausiblyError(
            f"this process may open only {files} files, and the server needs {RESERVED + 64}; "
            "raise the hard limit (ulimit -Hn)"
        )
    room = files - RESERVED
    pages = min(MOST_PAGES, int(room * PAGES_SHARE) // FILES_OF_A_PAGE)
    return Room(files, pages, min(MOST_CONNECTIONS, room - pages * FILES_OF_A_PAGE))


def raised_limit() -> int:
    """Raise the process's limit of open files as far as it goes, and return it.

    Shells and service managers start programs with 1024, of which a page takes four.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # a sandbox may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 2**20

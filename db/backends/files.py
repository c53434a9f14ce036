"""Files with people's answers in them: who may read them, and how they come whole or not at all."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

_SHARED = 0o020
_ABANDONED_S = 3600
_BESIDE = ("", "-journal", "-wal", "-shm")
"""What SQLite keeps beside a file that it writes."""


def make_folder(folder: Path) -> None:
    """Make a folder for its owner alone; for the group too where the group may write above it."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True, mode=0o700 | _of_group(folder.parent, 0o070))


def make_file(path: Path) -> None:
    """Make an empty file, unless it is there, that is as private as `make_folder` makes folders.

    SQLite gives its log and its journal the mode of the database.
    """
    mode = 0o600 | _of_group(path.parent, 0o060)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, mode))


def partial_of(target: Path) -> Path:
    """Return where to write what is to become `target`."""
    return target.with_name(f".{target.name}.{os.getpid()}.partial")


def put_in_place(partial: Path, target: Path) -> None:
    """Let a finished file become `target`, durably."""
    sync(partial)
    partial.replace(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Make durable what a file holds, or what was made and renamed in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(partial: Path) -> None:
    """Remove an unfinished file and what SQLite kept beside it."""
    for end in _BESIDE:
        with suppress(OSError):
            partial.with_name(partial.name + end).unlink(missing_ok=True)


def remove_abandoned(folder: Path) -> None:
    """Remove what killed processes left unfinished an hour ago or longer."""
    for path in folder.glob(".*.partial*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()


def only_readable(path: Path) -> bool:
    """Return whether the file is there and cannot be written, or nothing beside it can."""
    return path.is_file() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def _of_group(folder: Path, mode: int) -> int:
    return mode if folder.stat().st_mode & _SHARED else 0

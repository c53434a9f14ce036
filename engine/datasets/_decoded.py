"""Decoded data on disk, which processes share: one decodes, and all map the same pages.

A folder is named by all that decides its content, is there whole or not at all, and is read only
where its checksum is the one that was written with it.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.datasets._dataset import SPLITS, Data, Split, SplitName

Empty: TypeAlias = Callable[[SplitName, tuple[int, ...]], NDArray[np.uint8]]
"""Returns the array of this shape (N, C, H, W) to write the pixels of a split into."""
Decode: TypeAlias = Callable[[Empty], Data]

_ABOUT = "about.json"
_ABANDONED_S = 24 * 60 * 60


class _UnwritableError(Exception):
    """A folder cannot be written, or the disk is full."""


def shared(places: Sequence[Path], key: str, decode: Decode) -> Data:
    """Return what is kept under `key`; else decode it, and keep it in the first place that can.

    Where none can, the data are in this process's memory alone.

    Args:
        places: the folders to look into, in this order.
        key: names the content.
        decode: makes it; it may be called again for the next place.
    """
    folders = [place / f"decoded-{key}" for place in places]
    for folder in folders:
        data = _restore(folder)
        if data is not None:
            return data
    for folder in folders:
        with suppress(_UnwritableError):
            _keep(folder, decode)
            data = _restore(folder)
            if data is not None:
                return data
    return decode(lambda _part, shape: np.empty(shape, np.uint8))


def _restore(folder: Path) -> Data | None:
    """Return what a folder holds, or None where it is missing or damaged."""
    if not folder.is_dir():
        return None
    try:
        about = json.loads((folder / _ABOUT).read_bytes())
        train, valid, test = (
            Split(
                # PyTorch takes no array that is read-only; what is written stays in the process.
                np.load(_pixels(folder, part), mmap_mode="c", allow_pickle=False),
                np.load(_labels(folder, part), allow_pickle=False),
            )
            for part in SPLITS
        )
        data = Data(train, valid, test, tuple(about["class_names"]), tuple(about["notes"]))
        whole = data.sha256 == about["sha256"]
    except (OSError, ValueError, TypeError, KeyError, EOFError):
        return None
    return data if whole else None


def _keep(folder: Path, decode: Decode) -> None:
    """Decode into a draft, and give it its name when it is whole.

    Raises:
        _UnwritableError: it cannot be written there.
    """
    draft = folder.with_name(f".{folder.name}-{os.getpid()}")

    def empty(part: SplitName, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        path = _pixels(draft, part)
        with _writing():
            pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
            # A mapped file on a full disk would kill the process at its first page too many.
            with path.open("r+b") as stream:
                os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
        return pixels

    with _writing():
        _remove_abandoned(folder)
        draft.mkdir(parents=True)
    try:
        data = decode(empty)
        about = {"sha256": data.sha256, "class_names": data.class_names, "notes": data.notes}
        with _writing():
            for part in SPLITS:
                np.save(_labels(draft, part), data.split(part).labels)
            (draft / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
            if folder.exists():  # damaged, or just made by a different process
                shutil.rmtree(folder)
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


class _writing:  # noqa: N801 - it reads as a statement
    """Turns errors of writing into one that says so."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            raise _UnwritableError from error


def _remove_abandoned(folder: Path) -> None:
    """Remove the drafts of processes that were killed."""
    for draft in folder.parent.glob(f".{folder.name}-*"):
        if time.time() - draft.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(draft, ignore_errors=True)


def _pixels(folder: Path, part: SplitName) -> Path:
    return folder / f"{part}-pixels.npy"


def _labels(folder: Path, part: SplitName) -> Path:
    return folder / f"{part}-labels.npy"

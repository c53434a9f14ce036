"""Writing the files of an artifact: equal values give equal bytes."""

from __future__ import annotations

import json
import os
import shutil
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON that a person can read; NaN is refused."""
    path.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False))


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays, by any names, as npz with equal bytes for equal arrays.

    The bytes are those of `numpy.savez_compressed`, which takes names as keywords and so refuses
    some. Entries have a constant time, so that the bytes depend on the arrays alone.
    """
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects; pickle is never written")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)


def sync(path: Path) -> None:
    """Have the disk keep what was written into a file, or which files a folder has."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a folder to write into, which takes the place of `target` when the block succeeds.

    Until then nothing of `target` is touched, and afterwards nothing of the draft is left.

    Raises:
        OSError: it cannot be written; what stood in the place stands there.
    """
    token = uuid.uuid4().hex[:8]
    draft = target.with_name(f".{target.name}-draft-{token}")
    old = target.with_name(f".{target.name}-old-{token}")
    try:
        draft.mkdir(parents=True)
        yield draft
        if target.exists():
            target.rename(old)
        try:
            draft.rename(target)
        except OSError:
            with suppress(OSError):
                old.rename(target)
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)

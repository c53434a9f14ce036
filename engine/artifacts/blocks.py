"""Large arrays, stored so that a few rows can be read, and checked, without the rest.

Each lies uncompressed in a `.npy` file of its own. Its rows are hashed in blocks; the hashes stand
in a JSON file of the same artifact (`write_blocks` returns them), which is checked as a whole.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from engine.artifacts.store import Artifact
from engine.errors import ArtifactError

ROWS = 64
"""Rows of a block: a fifth of a megabyte of MNIST's maps, less than one of CIFAR-10's."""


def write_blocks(path: Path, array: np.ndarray) -> dict[str, Any]:
    """Write an array (N, ...) and return what `Blocks` needs to check it, as JSON."""
    whole = np.ascontiguousarray(array)
    np.save(path, whole, allow_pickle=False)
    return {
        "file": path.name,
        "shape": list(whole.shape),
        "dtype": whole.dtype.str,
        "rows": ROWS,
        "sha256": [_sha256(whole[first : first + ROWS]) for first in range(0, len(whole), ROWS)],
    }


class Blocks:
    """An array (N, ...) on disk. A block is checked when one of its rows is first read.

    Args:
        artifact: where it lies.
        record: what `write_blocks` returned when it was written.
    """

    def __init__(self, artifact: Artifact, record: dict[str, Any]) -> None:
        self._artifact = artifact
        self._record = record
        self._checked: set[int] = set()

    def __len__(self) -> int:
        return int(self._record["shape"][0])

    def row(self, index: int) -> np.ndarray:
        """Return a copy of row `index`.

        Raises:
            ArtifactError: its block is not as recorded.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        self._check(index // int(self._record["rows"]))
        return np.array(self._mapped[index])

    def all(self) -> np.ndarray:
        """Return the whole array, checked."""
        for number in range(len(self._record["sha256"])):
            self._check(number)
        return np.array(self._mapped)

    def _check(self, number: int) -> None:
        if number in self._checked:
            return
        rows = int(self._record["rows"])
        found = _sha256(self._mapped[number * rows : (number + 1) * rows])
        expected = str(self._record["sha256"][number])
        if found != expected:
            raise ArtifactError(
                self._artifact.damage(
                    f"{self._record['file']}, rows from {number * rows}, has SHA-256 "
                    f"{found[:12]}…, recorded was {expected[:12]}…"
                )
            )
        self._checked.add(number)

    @cached_property
    def _mapped(self) -> np.ndarray:
        name = self._record["file"]
        try:
            mapped = np.load(self._artifact.path / name, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ArtifactError(self._artifact.damage(f"{name} cannot be read ({error})")) from None
        if list(mapped.shape) != self._record["shape"] or mapped.dtype.str != self._record["dtype"]:
            raise ArtifactError(self._artifact.damage(f"{name} has a different shape or type"))
        return np.asarray(mapped)


def _sha256(rows: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(rows).data).hexdigest()

"""Arrays of an npz file, each of which is unpacked when it is first asked for."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping

import numpy as np


class Entries(Mapping[str, np.ndarray]):
    """The arrays of an npz file by name; pickled ones are refused.

    Args:
        data: the bytes of the file, which are kept.
    """

    def __init__(self, data: bytes) -> None:
        self._file = np.load(io.BytesIO(data), allow_pickle=False)
        self._unpacked: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        """Return an array."""
        if name not in self._unpacked:
            self._unpacked[name] = self._file[name]
        return self._unpacked[name]

    def __contains__(self, name: object) -> bool:
        """Say whether there is such an array, without unpacking it."""
        return name in self._file.files

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self._file.files)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._file.files)

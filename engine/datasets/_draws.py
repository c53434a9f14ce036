"""Random integers that are the same on every machine and with every version of numpy."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.signedinteger[Any]]
"""Whole numbers of any width; what is drawn has 64 bits."""


class Draws:
    """Integers from the raw stream of PCG64, which numpy promises to keep.

    What numpy's `Generator` makes of that stream may change between its versions; here 32 bits are
    scaled to a range, whose bias is below 2**-20 for ranges under 4096.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def between(self, low: int, high: int, *shape: int) -> NDArray[np.int64]:
        """Return int64 of `shape`, uniform in low..high, both included."""
        raw = np.asarray(self._bits.random_raw(int(np.prod(shape))), dtype=np.uint64)
        scaled = ((raw >> np.uint64(32)) * np.uint64(high - low + 1)) >> np.uint64(32)
        return low + scaled.astype(np.int64).reshape(shape)

    def order(self, count: int) -> NDArray[np.int64]:
        """Return 0..count-1 in random order."""
        return np.argsort(self._bits.random_raw(count), kind="stable").astype(np.int64)

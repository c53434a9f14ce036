"""How a length changes from an attack's first step to its last."""

from __future__ import annotations

import math


def half_cosine(first: float, last: float, share: float) -> float:
    """Return the value on a half cosine from `first` to `last`, at `share` of the way."""
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2

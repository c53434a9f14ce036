"""What a metric gives: numbers, and for each that is missing the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

Need: TypeAlias = Literal["network", "class", "baseline", "method", "clean"]
Why: TypeAlias = Literal[
    "zero_map",
    "constant_map",
    "plain_image",
    "flat_network",
    "other_map",
    "no_network",
    "no_class",
    "no_baseline",
    "no_method",
    "no_clean",
    "no_mask",
    "not_asked",
]
WHY: dict[Why, str] = {
    "zero_map": "the map is zero in every pixel",
    "constant_map": "the map has one value in every pixel",
    "plain_image": "the image has one colour, and so neither edges nor strokes",
    "flat_network": "the network's answer is the same whatever is done to the image",
    "other_map": "the map that it is compared with is zero or has one value in every pixel",
    "no_network": "there is no network to ask",
    "no_class": "the map explains no class, so that no answer can be compared with it",
    "no_baseline": "there is no image without what is explained",
    "no_method": "the map cannot be made again of another image or another network",
    "no_clean": "there is no other map, of the clean image, to compare it with",
    "no_mask": "nothing says where the strokes are",
    "not_asked": "measured on fewer images, since the network is asked for each",
}
"""Why a map has no number: by code, in words."""
assert set(WHY) == set(get_args(Why))


@dataclass(frozen=True)
class Measured:
    """What one metric gives of N maps.

    Attributes:
        values: float64 (N,); NaN where there is no number.
        why: codes of `WHY` (N,), the empty one where there is a number.
    """

    values: NDArray[np.float64]
    why: NDArray[np.str_]

    def __post_init__(self) -> None:
        """Check that NaN and reasons belong together.

        Raises:
            ValueError: they do not, or a reason is unknown.
        """
        unknown = set(self.why.tolist()) - {"", *WHY}
        if unknown or (np.isnan(self.values) != (self.why != "")).any():
            raise ValueError(f"NaN without a reason, or a reason without: {sorted(unknown)}")

    @classmethod
    def because(
        cls, values: NDArray[np.float64], *reasons: tuple[NDArray[np.bool_], Why]
    ) -> Measured:
        """Return `values`, NaN where a reason holds; the first that does is told.

        Args:
            values: (N,).
            reasons: where each holds (N,), with its code.
        """
        why = np.full(len(values), "", _CODE)
        for holds, code in reversed(reasons):
            why[holds] = code
        return cls(np.where(why == "", values, np.nan), why)

    @classmethod
    def none(cls, count: int, why: NDArray[np.str_] | Why) -> Measured:
        """Return no number for any of `count` maps; where `why` is empty it is to be told yet."""
        codes = np.full(count, why, _CODE) if isinstance(why, str) else why.astype(_CODE)
        return cls(np.full(count, np.nan), np.where(codes == "", "not_asked", codes))

    def at(self, rows: NDArray[np.bool_] | NDArray[np.int64], theirs: Measured) -> Measured:
        """Return this with `theirs` in those rows: a mask (N,) or indices (M,)."""
        values, why = self.values.copy(), self.why.copy()
        values[rows], why[rows] = theirs.values, theirs.why
        return Measured(values, why)


_CODE = "<U16"
"""One type for all, so that equal reasons are equal bytes."""

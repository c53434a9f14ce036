"""Real handwritten digits that come with scikit-learn: the built-in stand-in for MNIST."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.datasets import Data, Dataset, Split, register
from engine.datasets._scikit_learn import file
from engine.datasets._stratified import split as stratified

_SIZE = 28
_SOURCE_SIZE = 8
_SOURCE_MAX = 16
_TEST, _VALID = 397, 200


@register
class Digits(Dataset):
    """1797 digits, 8x8 with 17 grey levels, upsampled to 28x28; 1200 / 200 / 397, stratified.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI (1998), the
    test part, as in `sklearn.datasets.load_digits`. Value v becomes v/16, upsampled bilinearly
    (pixel centres, edges repeated) and rounded to 8 bits, so that every clean image is its own
    stimulus. All in integers: the checksum is the same on every machine.
    """

    expected_sha256: ClassVar[str | None] = (
        "e57f28b611a7fa85262bcab18aa72359d4d446fa8279f85c2c2e4f108e6d2037"
    )

    def load(self) -> Data:
        """Return the dataset; needs no download."""
        table = np.loadtxt(file("data/digits.csv.gz"), delimiter=",", dtype=np.int64)
        pixels = upsample(table[:, :-1].reshape(-1, _SOURCE_SIZE, _SOURCE_SIZE))[:, None]
        labels = table[:, -1]
        rest, test = stratified(labels, _TEST, seed=0)
        left, chosen = stratified(labels[rest], _VALID, seed=0)
        train, valid = rest[left], rest[chosen]

        def split(part: NDArray[np.int64]) -> Split:
            return Split(pixels[part], labels[part])

        return Data(split(train), split(valid), split(test), tuple("0123456789"))


def upsample(images: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Upsample (N, 8, 8) values 0..16 bilinearly to (N, 28, 28) uint8, rounding half up."""
    weights = _bilinear_weights()
    denominator = (2 * _SIZE) ** 2 * _SOURCE_MAX
    scaled = 255 * (weights @ images @ weights.T)
    return ((2 * scaled + denominator) // (2 * denominator)).astype(np.uint8)


def _bilinear_weights() -> NDArray[np.int64]:
    """Return (28, 8) integer weights; each row sums to 2 * 28.

    Target pixel i has its centre at (2i + 1) * 8 / 56 - 1/2 in source pixels: in 56ths of a source
    pixel that is 8 (2i + 1) - 28, an integer.
    """
    unit = 2 * _SIZE
    weights = np.zeros((_SIZE, _SOURCE_SIZE), dtype=np.int64)
    for i in range(_SIZE):
        left, part = divmod(_SOURCE_SIZE * (2 * i + 1) - _SIZE, unit)
        for neighbour, weight in ((left, unit - part), (left + 1, part)):
            weights[i, min(max(neighbour, 0), _SOURCE_SIZE - 1)] += weight
    return weights

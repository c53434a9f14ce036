"""Random effects of one or two crossed groupings: their matrix products and its inverse.

The matrix to factor is A = L Z'WZ L + 1, where Z holds which rating belongs to which level, W
weights of the ratings and L the effects' standard deviations. Levels of one grouping never share a
rating, so that this part of A falls into blocks of one or two rows, which are eliminated by hand;
what is left has the size of the smaller grouping.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

EFFECTS = 2
"""At most so many effects of one grouping: an intercept and a slope."""


@dataclass(frozen=True)
class RandomEffect:
    """Deviations of the levels of a grouping, normal and independent of all others.

    Attributes:
        name: "person", or "person x condition" of a slope.
        levels: (N,) which level each rating belongs to, any sortable values.
        slope: (N,) what the deviation is multiplied with; None: 1, an intercept.
    """

    name: str
    levels: ArrayLike
    slope: ArrayLike | None = None


class Grouping:
    """The effects of one grouping.

    Attributes:
        places: which of the given effects these are.
        codes: (N,) the level of each rating, from 0.
        count: of levels, M.
        factors: (K, N) what each of K effects is multiplied with.
    """

    def __init__(self, codes: NDArray[np.intp]) -> None:
        self.codes = codes
        self.count = int(codes.max()) + 1
        self.places: list[int] = []
        self.factors: Matrix = np.empty((0, len(codes)))

    def add(self, place: int, factor: Vector) -> None:
        """Take one effect in."""
        self.places.append(place)
        self.factors = np.vstack([self.factors, factor])

    def spread(self, values: Matrix) -> Matrix:
        """Return what the levels' values (K, M) are for each rating, times factors: (K, N)."""
        return self.factors * values[:, self.codes]

    def gathered(self, values: Vector) -> Matrix:
        """Return the sums of ratings' values (N,) times factors over each level: (K, M)."""
        codes, count = self.codes, self.count
        return np.array([np.bincount(codes, each * values, count) for each in self.factors])


def groupings(effects: Sequence[RandomEffect], ratings: int) -> list[Grouping]:
    """Return one or two groupings, the one with more levels first.

    Raises:
        ValueError: no effect, more than two groupings or more than two effects of one of them, or
            a length that is not that of the ratings.
    """
    found: list[Grouping] = []
    for place, effect in enumerate(effects):
        _, codes = np.unique(np.asarray(effect.levels), return_inverse=True)
        factor = np.ones(ratings) if effect.slope is None else np.asarray(effect.slope, float)
        if codes.shape != (ratings,) or factor.shape != (ratings,):
            raise ValueError(
                f"random effect {effect.name!r}: {codes.size} levels, {factor.size} slopes, where"
                f" there are {ratings} ratings"
            )
        same = [each for each in found if np.array_equal(each.codes, codes)]
        group = same[0] if same else Grouping(codes)
        group.add(place, factor)
        found += [] if same else [group]
    most = max((len(each.places) for each in found), default=0)
    if len(found) not in (1, 2) or most > EFFECTS:
        raise ValueError(
            f"random effects of {len(found)} groupings, up to {most} each: the model takes one or"
            f" two groupings with at most {EFFECTS} effects each (an intercept and a slope)"
        )
    return sorted(found, key=lambda each: -each.count)


class Products:
    """Z'WZ of fixed Z, for any weights W; entries of a matrix that one rating touches.

    A rating touches, for each pair of its effects, one entry. All entries lie in one flat array, by
    pairs of effects: (first, first) by M1 levels, (first, second) by M1 x M2, (second, second) by
    M2. Summing into it makes Z'WZ; reading from it makes the ratings' z A^-1 z'.
    """

    def __init__(self, groups: Sequence[Grouping]) -> None:
        self.first = groups[0]
        self.second = groups[1] if len(groups) == 2 else None
        self.size = 0
        self._slots: list[NDArray[np.intp]] = []
        self._factors: list[Vector] = []
        self._times: list[float] = []
        self.own = [self._within(each) for each in groups]
        self.crossed = self._across() if self.second is not None else {}
        self._index = np.concatenate(self._slots)
        self._product = np.array(self._factors)
        self._twice = np.array(self._times)[:, None]

    def _add(self, index: NDArray[np.intp], factor: Vector, count: int, times: float) -> slice:
        self._slots.append(index + self.size)
        self._factors.append(factor)
        self._times.append(times)
        self.size += count
        return slice(self.size - count, self.size)

    def _within(self, group: Grouping) -> dict[tuple[int, int], slice]:
        factors = group.factors
        return {
            (j, k): self._add(group.codes, factors[j] * factors[k], group.count, 1.0 + (j != k))
            for j in range(len(factors))
            for k in range(j, len(factors))
        }

    def _across(self) -> dict[tuple[int, int], slice]:
        first, second = self.first, self.second
        assert second is not None
        index = first.codes * second.count + second.codes
        return {
            (j, k): self._add(index, one * other, first.count * second.count, 2.0)
            for j, one in enumerate(first.factors)
            for k, other in enumerate(second.factors)
        }

    def summed(self, weights: Vector) -> Vector:
        """Return the flat array of Z'WZ for weights (N,)."""
        spread = (self._product * weights).ravel()
        return np.asarray(np.bincount(self._index, spread, self.size), dtype=np.float64)

    def read(self, flat: Vector) -> Vector:
        """Return z B z' of each rating, (N,), for the flat array of a symmetric matrix B."""
        values = flat[self._index].reshape(self._product.shape)
        read: Vector = np.einsum("sn,sn->n", self._product * self._twice, values)
        return read


class Factor:
    """The factored matrix A = L Z'WZ L + 1.

    Args:
        products: Z.
        weights: (N,) the diagonal of W.
        deviations: the diagonal of L by effect, one array for each grouping.

    Attributes:
        log_determinant: of A.
    """

    def __init__(self, products: Products, weights: Vector, deviations: Sequence[Vector]) -> None:
        from scipy.linalg import lapack

        self._lapack: Any = lapack
        self._products, self._deviations = products, deviations
        flat = products.summed(weights)
        self._blocks, self.log_determinant = self._inverted(flat)
        if products.second is None:
            return
        self._crossed = self._crossing(flat)
        self._towards = self._times_blocks(self._crossed)
        left = self._second(flat)
        width = left.shape[0]
        left -= self._crossed.reshape(-1, width).T @ self._towards.reshape(-1, width)
        self._root, failed = lapack.dpotrf(left, lower=1, clean=1)
        if failed:
            raise np.linalg.LinAlgError("the random effects' matrix is not positive definite")
        self.log_determinant += 2 * float(np.log(np.diag(self._root)).sum())

    def _inverted(self, flat: Vector) -> tuple[Matrix, float]:
        """Return the inverted blocks (K, K, M) of the first grouping, and their log determinant."""
        own, deviations = self._products.own[0], self._deviations[0]
        count = len(deviations)
        blocks = np.empty((count, count, self._products.first.count))
        for (j, k), part in own.items():
            blocks[j, k] = blocks[k, j] = deviations[j] * deviations[k] * flat[part] + (j == k)
        if count == 1:
            return 1 / blocks, float(np.log(blocks).sum())
        determinant = blocks[0, 0] * blocks[1, 1] - blocks[0, 1] ** 2
        inverse = np.array([[blocks[1, 1], -blocks[0, 1]], [-blocks[0, 1], blocks[0, 0]]])
        return inverse / determinant, float(np.log(determinant).sum())

    def _crossing(self, flat: Vector) -> Matrix:
        """Return the part of A between the groupings, (K1, M1, K2, M2)."""
        first, second = self._products.first, self._products.second
        assert second is not None
        one, other = self._deviations
        crossed = np.empty((len(one), first.count, len(other), second.count))
        for (j, k), part in self._products.crossed.items():
            crossed[j, :, k] = one[j] * other[k] * flat[part].reshape(first.count, second.count)
        return crossed

    def _second(self, flat: Vector) -> Matrix:
        """Return the part of A of the second grouping, square."""
        second, deviations = self._products.second, self._deviations[1]
        assert second is not None
        count = second.count
        left = np.zeros((len(deviations), count, len(deviations), count))
        level = np.arange(count)
        for (j, k), part in self._products.own[1].items():
            values = deviations[j] * deviations[k] * flat[part] + (j == k)
            left[j, level, k, level] = left[k, level, j, level] = values
        return left.reshape(len(deviations) * count, -1)

    def _times_blocks(self, values: Matrix) -> Matrix:
        """Return the inverted blocks times values (K1, M1, ...)."""
        wide = self._blocks.reshape(self._blocks.shape + (1,) * (values.ndim - 2))
        product: Matrix = wide[:, 0] * values[0]
        return product if len(values) == 1 else product + wide[:, 1] * values[1]

    def solve(self, first: Matrix, second: Matrix | None) -> tuple[Matrix, Matrix | None]:
        """Return A^-1 times a vector: its parts (K1, M1) and (K2, M2), None with one grouping."""
        own = self._times_blocks(first)
        if second is None:
            return own, None
        towards = self._towards.reshape(first.size, second.size)
        right = second.ravel() - first.ravel() @ towards
        found, _ = self._lapack.dpotrs(self._root, right, lower=1)
        return own - (towards @ found).reshape(first.shape), found.reshape(second.shape)

    def inverse(self) -> tuple[Vector, list[Vector]]:
        """Return what is needed of A^-1.

        Returns:
            L A^-1 L as the flat array of `Products`, and for each grouping the sums over levels of
            the diagonal of 1 - A^-1, (K,).
        """
        products, (one, *others) = self._products, self._deviations
        flat = np.empty(products.size)
        own = self._blocks
        if products.second is not None:
            second, other = products.second, others[0]
            square, _ = self._lapack.dpotri(self._root, lower=1)
            square = np.tril(square) + np.tril(square, -1).T
            shape = self._towards.shape
            width = square.shape[0]
            away = (self._towards.reshape(-1, width) @ square).reshape(shape)
            own = own + np.einsum("jmab,kmab->jkm", away, self._towards)
            for (j, k), part in products.crossed.items():
                flat[part] = -one[j] * other[k] * away[j, :, k].ravel()
            level = np.arange(second.count)
            corner = square.reshape(len(other), second.count, len(other), second.count)
            for (j, k), part in products.own[1].items():
                flat[part] = other[j] * other[k] * corner[j, level, k, level]
            far = second.count - np.diag(square).reshape(len(other), -1).sum(1)
        for (j, k), part in products.own[0].items():
            flat[part] = one[j] * one[k] * own[j, k]
        near = np.array([(1 - own[k, k]).sum() for k in range(len(one))])
        return flat, [near] if products.second is None else [near, far]

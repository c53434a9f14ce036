"""A split that keeps every class's share, the same as scikit-learn draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def split(
    labels: NDArray[np.int64], chosen: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of what is left, and of `chosen` ones, both in random order.

    They are those of scikit-learn's `train_test_split(range(N), test_size=chosen, stratify=labels,
    random_state=seed)`. Numpy promises to keep the stream of `RandomState` as it is, so that the
    split depends on no version of either; and scikit-learn takes a second and more to import.

    Args:
        labels: (N,) the class of each; every class is there at least twice.
        chosen: how many to choose.
        seed: of the draws.
    """
    draws = np.random.RandomState(seed)
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    left = _shares(counts, len(labels) - chosen, draws)
    taken = _shares(counts - left, chosen, draws)
    rest, others = [], []
    for members, here, there in zip(
        np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1]),
        left,
        taken,
        strict=True,
    ):
        mixed = members[draws.permutation(len(members))]
        rest.append(mixed[:here])
        others.append(mixed[here : here + there])
    return draws.permutation(np.concatenate(rest)), draws.permutation(np.concatenate(others))


def _shares(
    counts: NDArray[np.int64], wanted: int, draws: np.random.RandomState
) -> NDArray[np.int64]:
    """Return how many of each class make `wanted`: the largest remainders, ties drawn."""
    exact = counts / counts.sum() * wanted
    whole = np.floor(exact)
    missing = int(wanted - whole.sum())
    remainder = exact - whole
    for value in np.unique(remainder)[::-1]:
        if missing == 0:
            break
        (tied,) = np.where(remainder == value)
        added = min(len(tied), missing)
        whole[draws.choice(tied, size=added, replace=False)] += 1
        missing -= added
    shares: NDArray[np.int64] = whole.astype(np.int64)
    return shares

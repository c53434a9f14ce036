"""Which pictures of an experiment the front page shows: its data decide, and no chance."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study_app.gallery.exhibit import CLEAN, Exhibit

_COMPARED = 200
"""How many images' maps are compared at most; more would make people wait."""


@dataclass(frozen=True)
class Choice:
    """One source image with what an attack made of it on every network.

    Attributes:
        index: which test image.
        attack: the attack's label.
        method: the saliency method's label.
    """

    index: int
    attack: str
    method: str


def choose(exhibit: Exhibit, embargoed: Collection[str], count: int) -> list[Choice]:
    """Return the `count` best images that may be shown, each of another class while there are.

    First come those on which most networks were fooled by the strongest attack, among them those
    with fewest empty maps, and among these those whose maps agree least; then the order of the
    test set. An experiment without attacks or without maps has none.
    """
    attack, method = exhibit.strongest_attack, next(iter(exhibit.methods), None)
    if attack is None or method is None:
        return []
    if not exhibit.explained((CLEAN, attack), method):
        return []
    shown = exhibit.visible(embargoed, method=method, kinds=(CLEAN, attack), everywhere=True)
    visible = np.array(shown, dtype=np.int64)
    fooled = _fooled(exhibit, attack, method)
    hits = fooled[:, visible].sum(axis=0)
    candidates = visible[np.argsort(-hits, kind="stable")[:_COMPARED]]
    if not len(candidates):
        return []
    maps = _maps(exhibit, attack, method, candidates)
    empty = (~maps.any(axis=2)).sum(axis=0)
    hits = fooled[:, candidates].sum(axis=0)
    ranked = candidates[np.lexsort((candidates, -disagreement(maps), empty, -hits))]
    best = _of_each_class(ranked, exhibit.labels)[:count]
    return [Choice(index, attack, method) for index in best]


def disagreement(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return for every image how little its maps agree: one minus their mean pairwise cosine.

    A map that is zero everywhere agrees with none.

    Args:
        maps: (D, N, P): by network, image and pixel.

    Returns:
        (N,), from 0, where all point one way, up to 2; 0 for a single network.
    """
    networks = len(maps)
    if networks < 2:
        return np.zeros(maps.shape[1])
    norms = np.linalg.norm(maps, axis=2, keepdims=True)
    unit = np.divide(maps, norms, out=np.zeros(maps.shape, np.float64), where=norms > 0)
    # The sum of all pairs' products, from the length of the sum of all.
    pairs = (unit.sum(axis=0) ** 2).sum(axis=1) - (unit**2).sum(axis=(0, 2))
    agreement: NDArray[np.float64] = pairs / (networks * (networks - 1))
    return 1 - agreement


def _fooled(exhibit: Exhibit, attack: str, method: str) -> NDArray[np.bool_]:
    """(D, N) whether the network was right about the clean image and errs on the attacked one.

    Of all test images; one that was not attacked fooled none.
    """
    fooled = []
    for defense in exhibit.explained((CLEAN, attack), method):
        made = exhibit.results.examples(defense, attack)
        right = made.before_label == made.true_label
        fooled.append(made.over_all(right & (made.label != made.true_label), fill=False))
    return np.stack(fooled)


def _maps(
    exhibit: Exhibit, attack: str, method: str, images: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(D, N, P) the maps of the attacked pictures as they are drawn."""
    drawn = [
        [exhibit.drawn(defense, attack, int(index), method).ravel() for index in images]
        for defense in exhibit.explained((CLEAN, attack), method)
    ]
    return np.array(drawn, dtype=np.float32)


def _of_each_class(ranked: NDArray[np.int64], labels: NDArray[np.int64]) -> list[int]:
    """Put the first of every class before all others, and keep the order otherwise."""
    seen: set[int] = set()
    first: list[int] = []
    further: list[int] = []
    for index in ranked.tolist():
        (further if int(labels[index]) in seen else first).append(index)
        seen.add(int(labels[index]))
    return first + further

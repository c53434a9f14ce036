"""How many images of each class a dataset has, and what that means for its accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from engine.datasets._dataset import SPLITS, Data, SplitName

FEW = 20
"""An accuracy on fewer images has a 95 % interval wider than a fifth to both sides."""
UNEVEN = 10
_LISTED = 6
_IMAGES = {"train": "training", "valid": "validation", "test": "test"}

Counts: TypeAlias = Mapping[SplitName, Sequence[int]]


def class_counts(data: Data) -> dict[SplitName, list[int]]:
    """Return the number of images of each class, in the classes' order, by split."""
    classes = len(data.class_names)
    return {
        split: np.bincount(data.split(split).labels, minlength=classes).tolist() for split in SPLITS
    }


def describe_counts(counts: Counts, names: Sequence[str]) -> str:
    """Return the counts in words: of every class where there are few, else from least to most.

    Args:
        counts: by class, for the splits that are known.
        names: the classes'.
    """
    splits = [split for split in SPLITS if split in counts]
    if len(names) <= _LISTED:
        listed = (
            f"{name} {' / '.join(str(counts[split][place]) for split in splits)}"
            for place, name in enumerate(names)
        )
        return f"{', '.join(listed)} images ({' / '.join(splits)})"
    ranges = (f"{_range(counts[split])} {_IMAGES[split]}" for split in splits)
    return f"{len(names)} classes, each with {', '.join(ranges)} images"


def doubt_counts(counts: Counts, names: Sequence[str]) -> tuple[str, ...]:
    """Return a sentence for each reason to read accuracies with care; none where there is none.

    Args:
        counts: by class, for the splits that are known; `test` must be.
        names: the classes'.
    """
    found = []
    test = counts["test"]
    few = [place for place in np.argsort(test, kind="stable") if test[place] < FEW]
    if few:
        of = "1 class has" if len(few) == 1 else f"{len(few)} classes have"
        found.append(
            f"{of} fewer than {FEW} test images ({_listed(few, names, test)}): "
            "accuracies by class are rough there"
        )
    split: SplitName = "train" if "train" in counts else "test"
    own = counts[split]
    least, most = int(np.argmin(own)), int(np.argmax(own))
    if own[most] > UNEVEN * own[least]:
        found.append(
            f"the classes differ by more than {UNEVEN} times in {_IMAGES[split]} images "
            f"({names[most]} {own[most]}, {names[least]} {own[least]}): an accuracy over all "
            "images says little of the small ones; read those by class"
        )
    return tuple(found)


def _range(counts: Sequence[int]) -> str:
    least, most = min(counts), max(counts)
    return str(most) if least == most else f"{least} to {most}"


def _listed(places: Sequence[int], names: Sequence[str], counts: Sequence[int]) -> str:
    shown = ", ".join(f"{names[place]} {counts[place]}" for place in places[:_LISTED])
    return shown + (", …" if len(places) > _LISTED else "")

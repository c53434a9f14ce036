"""Lists over places: which condition is shown at which place, before any image is chosen.

A place stands for a source image. What is drawn here depends on the study file alone, so that it is
known who sees what together before anything is trained.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from engine import seeds
from study_app.design import rotation
from study_app.study import Phase, Study


class Placed(NamedTuple):
    """A presentation of a list.

    Attributes:
        condition: its label.
        group: which of `Study.groups` it belongs to, from 0.
        place: which of the group's source images it shows, from 0; those of one set of images
            after the other.
    """

    condition: str
    group: int
    place: int


def lists(study: Study, arm: str) -> list[list[Placed]]:
    """Return the lists of an arm: those of the first set of images, of the next, and so on."""
    sets = range(study.image_sets)
    if study.repeats:
        return [apart(study, arm, "main", number) for number in sets]
    return [entries for number in sets for entries in _rotated(study, arm, number)]


def apart(study: Study, arm: str, phase: Phase, number: int = 0) -> list[Placed]:
    """Return the presentations of conditions that do not rotate over the sources of their group."""
    entries = []
    for group, labels in enumerate(study.groups(arm, phase)):
        left = list(_places(study, labels, number))
        for label in labels:
            count = study.conditions[label].presentations
            entries += [Placed(label, group, place) for place in left[:count]]
            left = left if study.repeats else left[count:]
    return entries


def set_size(study: Study, labels: Sequence[str]) -> int:
    """Return how many source images one set has for a group of conditions."""
    counts = [study.conditions[label].presentations for label in labels]
    return max(counts) if study.repeats else sum(counts)


def _rotated(study: Study, arm: str, number: int) -> list[list[Placed]]:
    """Return the lists over which conditions rotate over the sources of one set of images."""
    count = study.lists(arm) // study.image_sets
    made: list[list[Placed]] = [[] for _ in range(count)]
    for group, labels in enumerate(study.groups(arm)):
        shown = {label: study.conditions[label].presentations for label in labels}
        # Not by the arm: arms that are built alike have the same lists.
        seed = seeds.derive(study.seed, "lists", number, group, *shown.values())
        rng = random.Random(seed)  # noqa: S311 - not a secret
        places = _places(study, labels, number)
        for entries, row in zip(made, rotation.rotated(shown, count, rng), strict=True):
            # Conditions in the study's order: what is told of a design goes by it.
            pairs = sorted(zip(row, places, strict=True), key=lambda p: labels.index(p[0]))
            entries += (Placed(label, group, place) for label, place in pairs)
    return made


def _places(study: Study, labels: Sequence[str], number: int) -> range:
    size = set_size(study, labels)
    return range(number * size, (number + 1) * size)

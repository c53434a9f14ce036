"""Who sees which image in which condition: what a study's plan leaves of the answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine import seeds
from study_app.design import lists
from study_app.design.lists import Placed
from study_app.study import Study, requirements

if TYPE_CHECKING:
    from study_app.design.source_images import Sources

Index = NDArray[np.int64]
MOST_SETS = 50
"""As many image sets as a study file may declare."""


@dataclass(frozen=True)
class Losses:
    """Who and what does not count in the end.

    Attributes:
        excluded: the share of people whom the exclusion rules exclude, by arm.
        left: the share of people who leave somewhere on the way; what they answered counts, unless
            the study excludes those who are incomplete.
    """

    excluded: Mapping[str, float]
    left: float = 0.0


@dataclass(frozen=True)
class Incidence:
    """The answers that one study of so many people gives.

    Attributes:
        people: who are admitted.
        analysed: of these, with an answer that counts.
        images: source images that the study has.
        person, image, condition, arm: (R,) of each presentation that counts: who sees it, its
            source image, and the index of its condition and arm.
        names: what stands behind each image: its number among the test images, or a place.
        conditions, arms: labels, which the indices are of.
    """

    people: int
    analysed: int
    images: int
    person: Index
    image: Index
    condition: Index
    arm: Index
    names: Sequence[Hashable]
    conditions: Sequence[str]
    arms: Sequence[str]


def images_per_set(study: Study) -> int:
    """Return how many source images one set has; of the arm that shows most."""
    return max(
        sum(lists.set_size(study, labels) for labels in study.groups(arm)) for arm in study.all_arms
    )


def with_sets(study: Study, sets: int) -> Study:
    """Return the study with so many sets of source images."""
    return study.model_copy(update={"image_sets": sets})


def draw(
    study: Study,
    people: int,
    losses: Losses,
    seed: int,
    sources: Sources | None = None,
) -> Incidence:
    """Draw who sees what, as people are admitted: each list as often as every other, or once more.

    Args:
        study: with as many image sets as are wanted.
        people: admitted, at least one.
        losses: who and what does not count.
        seed: of what is drawn.
        sources: the images, where they are chosen; None: places stand for them.
    """
    rng = np.random.default_rng(seeds.derive(seed, "incidence", people, study.image_sets))
    arms, conditions = list(study.all_arms), list(study.conditions)
    plans = {arm: lists.lists(study, arm) for arm in arms}
    names = {arm: _names(study, arm, sources) for arm in arms}
    numbers: dict[Hashable, int] = {}
    rows: list[tuple[int, int, int, int]] = []
    stopped = any(rule.name == "incomplete" for rule in study.exclusions)
    analysed = 0
    for who, (arm, number) in enumerate(_admitted(plans, people, rng)):
        seen = plans[arm][number]
        kept = _kept(len(seen), losses.excluded.get(arm, 0.0), losses.left, stopped, rng)
        analysed += len(kept) > 0
        for place in kept:
            one = seen[place]
            seen_image = numbers.setdefault(names[arm](one), len(numbers))
            rows.append((who, seen_image, conditions.index(one.condition), arms.index(arm)))
    person, image, condition, in_arm = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    images = images_per_set(study) * study.image_sets
    return Incidence(
        people,
        analysed,
        images,
        person,
        image,
        condition,
        in_arm,
        list(numbers),
        conditions,
        arms,
    )


def _admitted(
    plans: Mapping[str, Sequence[Sequence[Placed]]], people: int, rng: np.random.Generator
) -> Iterator[tuple[str, int]]:
    """Yield the arm and list of each person: always one that fewest have, drawn among these."""
    slots = [(arm, number) for arm, every in plans.items() for number in range(len(every))]
    for start in range(0, people, len(slots)):
        for place in rng.permutation(len(slots))[: people - start]:
            yield slots[place]


def _kept(
    count: int, excluded: float, left: float, stopped: bool, rng: np.random.Generator
) -> Sequence[int]:
    """Return which of a person's presentations count: a random part where they left on the way."""
    lost, leaves, at = rng.random(), rng.random(), int(rng.integers(count))
    order = rng.permutation(count)
    if lost < excluded or (leaves < left and stopped):
        return []
    return sorted(order[:at].tolist()) if leaves < left else range(count)


def _names(study: Study, arm: str, sources: Sources | None) -> Callable[[Placed], Hashable]:
    """Return what names the image at a place of an arm: the same image in all arms that show it."""
    if sources is not None:
        indices = sources.of_arm[arm, "main"]
        return lambda one: indices[one.group][one.place]
    needs = []
    for labels in study.groups(arm):
        first = study.conditions[labels[0]]
        needed = requirements(first, study.asked(first)) if study.selection == "each" else ()
        # Nearly every image has its maps: with and without them the same ones are chosen.
        needs.append(frozenset(each for each in needed if each[0] != "explained"))
    return lambda one: (needs[one.group], one.place)

"""Which test images a study uses: usable in its conditions, balanced over classes, each once."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import seeds, stimuli
from engine.errors import UsageError
from engine.results import Results
from study_app.study import Condition, Phase, Study, requirements

Mask = NDArray[np.bool_]
_USABLE = "usable"
"""Key of the attrition: how many images each condition can show."""
PHASES: tuple[Phase, ...] = ("main", "practice")


@dataclass(frozen=True)
class Sources:
    """The test images of a study, by index.

    Attributes:
        clear: for practice and catch presentations.
        of_arm: for each arm and phase, for each group of conditions, in the order in which they
            rotate over them; of the main phase one set of images after the other.
        attrition: by "defense x attack" what `stimuli.attrition` says and how many are left when
            all must be hit; by "defense x method of image" how many maps are blank; by condition
            how many images can be shown in it.
    """

    clear: Sequence[int]
    of_arm: Mapping[tuple[str, Phase], Sequence[Sequence[int]]]
    attrition: Mapping[str, Any]

    def all(self) -> set[int]:
        """Return every image that somebody may see."""
        return {*self.clear, *chain.from_iterable(chain.from_iterable(self.of_arm.values()))}


def choose(study: Study, results: Results, clear_images: int) -> Sources:
    """Choose the source images of `study`.

    Clear ones are those that every model labels right, with the highest confidence. For the
    conditions they are drawn at random among the others that every condition can show
    (`selection: shared`) or every one of their group (`each`), balanced over classes. An image that
    is there twice counts once.

    Raises:
        UsageError: the experiment lacks a defense, attack or method, or has too few usable images.
        AbsentError: what the study shows failed when the experiment was run.
    """
    rng = random.Random(seeds.derive(study.seed, "sources"))  # noqa: S311 - not a secret
    labels = results.source.labels
    answers = [results.answers(label) for label in results.whole_models]
    once = _first_of_each(results.source.image_ids)
    masks = {label: once & _usable(study, c, results) for label, c in study.conditions.items()}
    shared = np.logical_and.reduce(list(masks.values()))
    attrition = _attrition(study, results, masks, shared)

    right = np.logical_and.reduce([said.label == labels for said in answers]) & once
    right &= _explained(study, results)
    confidence = np.minimum.reduce([said.confidence for said in answers])
    clearest = sorted(np.flatnonzero(right).tolist(), key=lambda i: (-confidence[i], i))
    clear = _balanced(clearest, labels, clear_images)
    if len(clear) < clear_images:
        raise UsageError(
            f"study {study.name!r} needs {clear_images} source images for practice and catch that "
            f"every model labels right; experiment {study.experiment!r} has {len(clear)}"
        )
    rest = [index for index in range(len(labels)) if index not in set(clear)]
    rng.shuffle(rest)
    rng.shuffle(clear)
    of_arm: dict[tuple[str, Phase], list[list[int]]] = {}
    for arm in study.all_arms:
        taken: set[int] = set()
        groups = [(phase, group) for phase in PHASES for group in study.groups(arm, phase)]
        # Those with the least choice come first.
        scarce = sorted(groups, key=lambda each: min(masks[label].sum() for label in each[1]))
        found = {
            tuple(group): _of_group(study, group, masks, rest, labels, taken, attrition)
            for _, group in scarce
        }
        for phase in PHASES:
            of_arm[arm, phase] = [found[tuple(group)] for group in study.groups(arm, phase)]
    return Sources(clear, of_arm, attrition)


def _of_group(
    study: Study,
    group: Sequence[str],
    masks: Mapping[str, Mask],
    rest: Sequence[int],
    labels: NDArray[np.int64],
    taken: set[int],
    attrition: Mapping[str, Any],
) -> list[int]:
    """Return the sources of a group of conditions and add them to `taken`.

    Arms that are built alike get the same ones. All conditions of the study must be able to show a
    shared source, so that arms can be compared.
    """
    sharing = list(study.conditions) if study.selection == "shared" else group
    mask = np.logical_and.reduce([masks[label] for label in sharing])
    counts = [study.conditions[label].presentations for label in group]
    count = max(counts) if study.repeats else sum(counts)
    if study.conditions[group[0]].phase == "main":
        count *= study.image_sets
    left = [index for index in rest if mask[index] and index not in taken]
    chosen = _balanced(left, labels, count)
    if len(chosen) < count:
        raise UsageError(
            f"study {study.name!r} needs {count} source images that {', '.join(sharing)} can show, "
            f"beside those for practice, catch and other conditions; experiment "
            f"{study.experiment!r} has {len(left)}. {_in_words(attrition)}"
        )
    taken |= set(chosen)
    # The places decide which sources share a condition: shuffled within each round of classes.
    rng = random.Random(seeds.derive(study.seed, "places", *group))  # noqa: S311
    classes = len(set(labels.tolist()))
    rounds = [chosen[start : start + classes] for start in range(0, count, classes)]
    for part in rounds:
        rng.shuffle(part)
    return [index for part in rounds for index in part]


def _usable(study: Study, condition: Condition, results: Results) -> Mask:
    """Return (N,) which test images the condition can show."""
    labels = results.source.labels
    mask = np.ones(len(labels), dtype=np.bool_)
    aims = []
    for picture in condition.shown_pictures:
        if picture.defense and picture.attack:
            mask &= results.examples(picture.defense, picture.attack).taken
        if picture.show == "mistake" and picture.defense and picture.attack:
            mask &= stimuli.hits(results, picture.defense, picture.attack)
            made = results.examples(picture.defense, picture.attack)
            aims.append(made.over_all(made.target, fill=-1))
        elif picture.is_map and picture.defense and picture.of != stimuli.CLEAN:
            made = results.examples(picture.defense, picture.of)
            mask &= made.taken
            if not made.artifact.recipe.config["control"]:
                mask &= stimuli.hits(results, picture.defense, picture.of)
        elif picture.show == "clean" and picture.defense and picture.answer != "any":
            right = results.answers(picture.defense).label == labels
            mask &= right == (picture.answer == "right")
        if picture.show == "map" and picture.defense and picture.method:
            mask &= _mapped(results, picture.defense, picture.method, picture.of)
    if ("different targets",) in requirements(condition, study.asked(condition)):
        mask &= np.logical_and.reduce([aims[0] != other for other in aims[1:]])
    return mask


def _explained(study: Study, results: Results) -> Mask:
    """Return (N,) which test images have all the maps that known answers show."""
    mask = np.ones(len(results.source), dtype=np.bool_)
    for picture in (p for c in study.conditions.values() for p in c.undisturbed):
        if picture.show == "map" and picture.defense and picture.method:
            mask &= _mapped(results, picture.defense, picture.method, picture.of)
    return mask


def _mapped(results: Results, defense: str, method: str, image: str) -> Mask:
    """Return (N,) which test images have a map of this image kind."""
    maps = results.maps(defense, method)
    results.refuse_unfit(defense, method)
    mask = np.zeros(len(results.source), dtype=np.bool_)
    # Where there is none at all, drawing it says so.
    mask[maps.indices(image) if image in maps.images else slice(None)] = True
    return mask


def _attrition(
    study: Study, results: Results, masks: Mapping[str, Mask], shared: Mask
) -> dict[str, Any]:
    pairs = dict.fromkeys(pair for c in study.conditions.values() for pair in c.pairs())
    if not pairs:
        by_pair: dict[str, Any] = {}
    else:
        _, by_pair = stimuli.hit_everywhere(results, list(pairs))
    pictures = [p for c in study.conditions.values() for p in c.shown_pictures if p.show == "map"]
    return {
        **by_pair,
        **{
            f"{p.defense} x {p.method} of {p.of}": _blank(results, p.defense, p.method, p.of)
            for p in pictures
            if p.defense and p.method
        },
        _USABLE: {
            **{label: int(mask.sum()) for label, mask in masks.items()},
            "in every condition": int(shared.sum()),
        },
    }


def _in_words(attrition: Mapping[str, Any]) -> str:
    """Return in sentences what became of the test images."""
    lost = [
        f"{name}: " + ", ".join(f"{n} {what}".replace("_", " ") for what, n in counts.items())
        for name, counts in attrition.items()
        if name != _USABLE and counts
    ]
    usable = ", ".join(f"{label} {count}" for label, count in attrition[_USABLE].items())
    became = f" Of the test images: {'; '.join(lost)}." if lost else ""
    return f"Images that each condition can show: {usable}.{became}"


def _blank(results: Results, defense: str, method: str, image: str) -> dict[str, int]:
    """Return how many maps there are, and how many are zero everywhere (a masked model's)."""
    maps = results.maps(defense, method)
    if image not in maps.images:
        return {}  # drawing it says so
    blank = maps.summary(image).blank
    return {"maps": len(blank), "blank": int(blank.sum())}


def _first_of_each(image_ids: Sequence[str]) -> Mask:
    """Return (N,) whether no image before has the same pixels."""
    seen: set[str] = set()
    first = np.zeros(len(image_ids), dtype=np.bool_)
    for index, image_id in enumerate(image_ids):
        first[index] = image_id not in seen
        seen.add(image_id)
    return first


def _balanced(ranked: Sequence[int], labels: NDArray[np.int64], count: int) -> list[int]:
    """Take up to `count` of `ranked` in order, one of each class in turn while there are any."""
    queues: dict[int, list[int]] = {}
    for index in ranked:
        queues.setdefault(int(labels[index]), []).append(index)
    chosen: list[int] = []
    while len(chosen) < count and any(queues.values()):
        for label in sorted(queues):
            if queues[label]:
                chosen.append(queues[label].pop(0))
    return chosen[:count]

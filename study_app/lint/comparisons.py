"""Rules about what is compared: conditions that differ in one thing, asked alike, often enough."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator

from study_app.lint.rules import Finding, Subject, rule, warn
from study_app.study import Condition, Study, speaks_of_a_label

UNEVEN = 3
"""So many times as often a condition may be shown as a different one that it is compared with."""
WIDE = 0.15
"""A 95 % interval for a share that reaches further to each side decides little."""
_OF_PEOPLE = _OF_IMAGES = 0.042
"""Variance of a share over people, and over images, if logits differ by a standard deviation 1."""
_OF_ANSWERS = 0.17
"""What is left of an answer's variance at a half then."""


@rule
def confounded(subject: Subject) -> Iterator[Finding]:
    """Mistakes that are compared differ in one thing: whose they are, or by which attack."""
    made = _mistakes(subject.study)
    groups = _connected(list(made))
    if len(groups) < 2:
        return
    apart = "; ".join(
        " + ".join(label for kind in group for label in made[kind]) for group in groups
    )
    yield warn(
        "conditions",
        f"{apart} differ in defense and attack at once: what people answer cannot be put down to "
        "either; show each defense by the same attack, or each attack on the same defense",
    )


Kind = tuple[frozenset[str], frozenset[str]]


def _mistakes(study: Study) -> dict[Kind, list[str]]:
    """Return the conditions that show mistakes, by their defenses and attacks."""
    found: dict[Kind, list[str]] = defaultdict(list)
    for label, condition in study.conditions.items():
        pairs = condition.pairs()
        if pairs:
            defenses, attacks = zip(*pairs, strict=True)
            found[frozenset(defenses), frozenset(attacks)].append(label)
    return found


def _connected(kinds: list[Kind]) -> list[list[Kind]]:
    """Group kinds: within a group one gets from each to each by changing one thing at a time."""
    groups: list[list[Kind]] = []
    for kind in kinds:
        near = [g for g in groups if any(_differ_in_one(kind, other) for other in g)]
        groups = [g for g in groups if g not in near]
        groups.append([*itertools.chain.from_iterable(near), kind])
    return groups


def _differ_in_one(one: Kind, other: Kind) -> bool:
    return (one[0] != other[0]) + (one[1] != other[1]) < 2


@rule
def same_questions(subject: Subject) -> Iterator[Finding]:
    """Conditions whose pictures are of the same kinds are asked the same questions."""
    study = subject.study
    alike: dict[tuple[bool, ...], list[str]] = defaultdict(list)
    for label, condition in study.conditions.items():
        if condition.phase == "main":
            alike[tuple(p.is_map for p in condition.shown_pictures)].append(label)
    for labels in alike.values():
        usual = max(
            (study.asked(study.conditions[label]) for label in labels),
            key=lambda asked: sum(study.asked(study.conditions[each]) == asked for each in labels),
        )
        differing = [each for each in labels if study.asked(study.conditions[each]) != usual]
        if differing:
            yield warn(
                f"conditions.{differing[0]}",
                f"{', '.join(differing)} and "
                f"{', '.join(each for each in labels if each not in differing)} show the same "
                "kinds of pictures and are asked different questions: their answers cannot be "
                "compared; ask the same, in the same words",
            )


@rule
def same_labels(subject: Subject) -> Iterator[Finding]:
    """Controls are asked about the label that the mistakes are asked about."""
    study = subject.study
    controls = {
        label: c
        for label, c in study.conditions.items()
        if _asks(study, c) and {p.show for p in c.shown_pictures} <= {"clean", "control"}
        and c.phase == "main"
    }  # fmt: skip
    mistakes = [c for c in study.conditions.values() if c.pairs() and _asks(study, c)]
    own = ("true_label", "foil")
    if not mistakes or all(c.shown in own for c in mistakes):
        return
    other = [label for label, c in controls.items() if c.shown in own]
    if other and len(other) == len(controls):
        yield warn(
            f"conditions.{other[0]}",
            f"{', '.join(other)}: asked about the {controls[other[0]].shown}, where mistakes are "
            "asked about the label that the attack aims at: how often people say yes to that one "
            "without an attack stays open; leave shown out",
        )


def _asks(study: Study, condition: Condition) -> bool:
    return any(map(speaks_of_a_label, study.asked(condition)))


@rule
def shown_as_often(subject: Subject) -> Iterator[Finding]:
    """Mistakes that are compared are shown about as often."""
    study = subject.study
    for arm in study.all_arms:
        counts = {label: c.presentations for label, c in study.of_arm(arm).items() if c.pairs()}
        if counts and max(counts.values()) > UNEVEN * min(counts.values()):
            few, many = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
            yield warn(
                f"conditions.{few}",
                f"shown {counts[few]} times, {many} {counts[many]} times: the comparison is as "
                f"uncertain as the rarer one; show them about as often",
            )


@rule
def precision(subject: Subject) -> Iterator[Finding]:
    """The quota and the number of images give intervals that decide something."""
    study = subject.study
    quota = study.quota
    if quota is None or study.stage != "main":
        return
    widths = {}
    for arm in study.all_arms:
        people = quota.per_arm or (quota.participants or 0) // len(study.all_arms)
        for label, condition in study.of_arm(arm).items():
            if people and condition.pairs():
                widths[label] = _half_width(study, arm, label, people), people
    if not widths:
        return
    label, (width, people) = max(widths.items(), key=lambda each: each[1][0])
    if width > WIDE:
        yield warn(
            "quota",
            f"{people} people give the share of yes in {label} an interval of about "
            f"±{100 * width:.0f} points (95 %, at a half, people and images differing as they "
            "usually do); ask more people, or show more images (image_sets)",
        )


def _half_width(study: Study, arm: str, label: str, people: int) -> float:
    """Return half the width of a 95 % interval for a share of a half, roughly."""
    condition = study.conditions[label]
    (group,) = [each for each in study.groups(arm) if label in each]
    images = study.image_sets * (
        condition.presentations
        if study.repeats
        else sum(study.conditions[each].presentations for each in group)
    )
    variance = (
        _OF_PEOPLE / people + _OF_IMAGES / images + _OF_ANSWERS / (people * condition.presentations)
    )
    return 1.96 * math.sqrt(variance)

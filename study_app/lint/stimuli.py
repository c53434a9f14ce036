"""Rules about the stimuli themselves: how large a disturbance is, which label is asked about.

They look at what would be shown. Where the study's experiment has not been run, or something else
keeps the design from being drawn, they say that they have not looked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from study_app.design import sizes
from study_app.design.sizes import Shown
from study_app.lint.rules import Finding, Subject, note, rule, warn
from study_app.study import Study, speaks_of_a_label

SIZE_RATIO = 1.05
"""The larger of two median L2 norms over the smaller: up to here sizes count as equal."""
PREDICTABLE = 0.8
"""From this share of images on, a label that follows from the true one counts as predictable."""
FEWEST = 10
"""Fewer images than these tell nothing of a rule."""
_NOT_LOOKED = "run the experiment and see to the errors, then lint again"


@rule
def equal_sizes(subject: Subject) -> Iterator[Finding]:
    """Disturbances that are compared are equally large, and a control is as large as each."""
    study = subject.study
    disturbed = {
        (picture.defense, picture.attack)
        for condition in study.conditions.values()
        for picture in condition.shown_pictures
        if picture.attack is not None
    }
    if len(disturbed) < 2:
        return
    found = _measured(subject)
    if found is None:
        yield note("conditions", f"not checked whether disturbances are as large: {_NOT_LOOKED}")
        return
    mistakes = sorted((each for each in found if each.kind == "adversarial"), key=_l2)
    controls = [each for each in found if each.kind == "control"]
    if mistakes and not _as_large(mistakes[0], mistakes[-1]):
        yield warn(
            "conditions",
            f"mistakes differ in size by a factor of {_l2(mistakes[-1]) / _l2(mistakes[0]):.2f}: "
            f"the median L2 is {_named(mistakes[0])} and {_named(mistakes[-1])}. What people make "
            "of them may be a matter of size alone; take an attack whose examples reach the same "
            f"L2 on every model, as pgd with norm: l2, label: target and keep: last{_kept(study)}",
        )
    alone = [each for each in mistakes if not any(_as_large(each, other) for other in controls)]
    if controls and alone:
        yield warn(
            "conditions",
            f"no control is as large as {', '.join(map(_named, alone))}; there is "
            f"{', '.join(map(_named, controls))}. What noise of that size does stays open; give "
            f"each size a control that is like its attack{_kept(study)}",
        )


def _measured(subject: Subject) -> list[Shown] | None:
    """Return how large disturbances are: of what is drawn, or else of all that could be.

    None where neither is known.
    """
    if subject.drawn is not None:
        passports = {key: each.passport for key, each in subject.drawn.stimuli.items()}
        found = sizes.shown(subject.drawn.document, passports)
        return [each for each in found if each.l2 is not None]
    if subject.results is None:
        return None
    return sizes.possible(subject.study, subject.results) or None


@rule
def predictable_label(subject: Subject) -> Iterator[Finding]:
    """The label that is asked about cannot be predicted from the true one."""
    study = subject.study
    aiming = [
        label
        for label, condition in study.conditions.items()
        if condition.pairs() and any(map(speaks_of_a_label, study.asked(condition)))
    ]
    if not aiming:
        return
    if subject.drawn is None:
        yield note("conditions", f"not checked whether labels can be predicted: {_NOT_LOOKED}")
        return
    classes = len(subject.drawn.document["class_names"])
    found: dict[str, list[str]] = defaultdict(list)
    for label, pairs in sizes.asked(subject.drawn.document).items():
        told = _told(pairs, classes)
        if told is not None:
            found[told].append(label)
    for told, labels in found.items():
        yield warn(
            "conditions",
            f"{', '.join(labels)}: the label asked about can be predicted from the true one: "
            f"{told}. People can learn to answer without looking for it; take attacks with "
            f"target: random{_kept(study)}",
        )


def _told(pairs: Sequence[tuple[int, int]], classes: int) -> str | None:
    """Return how the true label tells the one asked about; None where it does not.

    Images that are asked about under their true label count for nothing, and of two classes there
    is one other only.
    """
    others = [(true, asked) for true, asked in pairs if asked != true]
    if classes < 3 or len(others) < FEWEST:
        return None
    shifts = Counter((asked - true) % classes for true, asked in others)
    ((shift, share),) = shifts.most_common(1)
    if share >= PREDICTABLE * len(others):
        return f"it is the true one + {shift} (mod {classes}) on {share} of {len(others)} images"
    by_class: dict[int, Counter[int]] = defaultdict(Counter)
    for true, asked in others:
        by_class[true][asked] += 1
    repeated = [counts for counts in by_class.values() if counts.total() > 1]
    images = sum(counts.total() for counts in repeated)
    same = sum(max(counts.values()) for counts in repeated)
    if images >= FEWEST and same >= PREDICTABLE * images:
        return f"images of one class share it, {same} of {images}"
    return None


def _kept(study: Study) -> str:
    """Return what a faithful replication is told besides."""
    if not study.faithful:
        return ""
    return (
        ". A faithful replication keeps the paper's attack: its answers are then about attack, "
        "size and label together, and do not say which of them people go by"
    )


def _l2(each: Shown) -> float:
    assert each.l2 is not None
    return each.l2.median


def _as_large(one: Shown, other: Shown) -> bool:
    small, large = sorted((_l2(one), _l2(other)))
    return large <= SIZE_RATIO * small


def _named(each: Shown) -> str:
    return f"{_l2(each):.2f} ({each.condition}{each.which})"

"""Rules about what is shown to whom how often: foils, source images, lists, people."""

from __future__ import annotations

from collections.abc import Iterator

from study_app.lint.rules import Finding, Subject, error, hint, rule, warn
from study_app.study import Study, speaks_of_a_label

MANY_LISTS = 60


@rule
def foils(subject: Subject) -> Iterator[Finding]:
    """Wrong labels are given for every class, several each, and people are not always asked yes."""
    study = subject.study
    asks = {
        label: c
        for label, c in study.conditions.items()
        if any(map(speaks_of_a_label, study.asked(c)))
    }
    counts = {"practice": study.practice, "catch": study.catch}
    asking = " and ".join(name for name, count in counts.items() if count)
    needed = asking and any(study.asks_about_foils(c) for c in study.conditions.values())
    if needed and not study.impossible:
        yield error(
            "impossible",
            f"missing: {asking} presentations need, for each class, labels that "
            "no careful person would give; else the right answer is always yes",
        )
    few = [label for label, given in study.impossible.items() if len(set(given)) < 2]
    if needed and few:
        yield warn(
            "impossible",
            f"class {few[0]} has one foil only, which people may learn; give two or more",
        )
    wrong = [label for label, given in study.impossible.items() if label in given]
    if wrong:
        yield error("impossible", f"class {wrong[0]} is among its own impossible labels")
    beyond = [
        label
        for label, given in study.impossible.items()
        if subject.class_names and max(label, *given) >= len(subject.class_names)
    ]
    if beyond:
        yield error(
            f"impossible.{beyond[0]}",
            f"the experiment has {len(subject.class_names)} classes, counted from 0",
        )
    if asks and all(condition.shown == "true_label" for condition in asks.values()):
        yield warn(
            "conditions",
            "every condition asks about the true label: yes is always right; let some show a foil",
        )


@rule
def sources_rotate(subject: Subject) -> Iterator[Finding]:
    """Every source image appears in every condition over the lists (Latin square)."""
    study = subject.study
    for arm in study.all_arms:
        groups = study.groups(arm)
        if len(groups) > 1:
            apart = "; ".join(" + ".join(group) for group in groups)
            yield warn(
                "selection",
                f"arm {arm}: conditions with different source images cannot be told apart from "
                f"their images: {apart}; take shared, or analyse with random image effects",
            )
    for arm in study.all_arms:
        if study.lists(arm) > MANY_LISTS:
            yield warn(
                f"arms.{arm}",
                f"{study.lists(arm)} lists to rotate all sources; counts "
                "of presentations with a common divisor need fewer",
            )
        count, classes = study.presentations(arm), len(subject.class_names)
        if classes and study.selection == "shared" and not study.repeats and count % classes:
            yield hint(
                f"arms.{arm}",
                f"{count} presentations over {classes} classes: some classes are shown "
                f"{-(-count // classes)} times, others {count // classes}; a multiple of {classes} "
                "would be even",
            )


@rule
def repeated_sources(subject: Subject) -> Iterator[Finding]:
    """No participant sees a source image twice, unless the study says so."""
    if subject.study.repeats:
        yield warn(
            "repeats",
            "every participant sees each source image several times and may "
            "remember it; leave repeats out where lists can rotate instead",
        )


@rule
def enough_people(subject: Subject) -> Iterator[Finding]:
    """The quota fills every arm and list, and all of them equally."""
    study = subject.study
    lists = {arm: study.lists(arm) for arm in study.all_arms}
    slots, quota = sum(lists.values()), study.quota
    if len(set(lists.values())) > 1:
        yield warn(
            "arms",
            "they have different numbers of lists, each of which gets as many people: "
            + ", ".join(f"{arm} {number}" for arm, number in lists.items())
            + "; give their conditions counts with the same divisor",
        )
    if quota is None or (quota.participants is None and quota.per_arm is None):
        if slots > 1:
            yield warn(
                "quota",
                f"none: nothing says when all {slots} lists are filled equally; "
                f"set quota.participants to a multiple of {slots}",
            )
        return
    if quota.participants is not None:
        yield from _fills(study, quota.participants, slots, "quota.participants", "arms x lists")
    for arm, number in lists.items():
        if quota.per_arm is not None:
            yield from _fills(study, quota.per_arm, number, "quota.per_arm", f"lists of arm {arm}")


def _fills(study: Study, people: int, slots: int, place: str, what: str) -> Iterator[Finding]:
    if people < slots:
        # A pilot tries out whether the study works, and compares nothing.
        tell = error if study.stage == "main" else warn
        yield tell(
            place,
            f"{people} people cannot fill {slots} {what}; take {slots} or a "
            "multiple, or fewer conditions",
        )
    elif people % slots:
        yield warn(
            place,
            f"{people} people fill {slots} {what} unequally; take "
            f"{people - people % slots} or {people - people % slots + slots}",
        )

"""Rules about controls: without them nobody knows what an answer means."""

from __future__ import annotations

from collections.abc import Iterator

from engine.results import Role
from engine.saliency import NULL_METHODS
from study_app.lint.rules import Finding, Subject, lacking, rule, warn
from study_app.study import Picture, answerable, obvious


@rule
def catch_trials(subject: Subject) -> Iterator[Finding]:
    """Every arm has catch presentations: clean pictures whose answer is known."""
    study = subject.study
    known, seen = (
        [
            arm
            for arm in study.all_arms
            if any(judge(c, study.asked(c)) for c in study.of_arm(arm).values())
        ]
        for judge in (answerable, obvious)
    )
    if study.catch == 0 and seen:
        yield lacking(
            study,
            "catch",
            "no catch trial, so that nobody knows who paid attention; "
            "set catch to one in ten presentations or so",
        )
    for arm in study.all_arms:
        if arm not in seen:
            yield warn(
                f"arms.{arm}",
                "no question has an answer on clean pictures that everybody "
                "must know: there is no catch trial; add a question such as label_nafc, or a "
                "comprehension check",
            )
        if arm not in known and study.practice:
            yield warn(f"arms.{arm}", "no question has a right answer: practice gives no feedback")


@rule
def clean_and_noise(subject: Subject) -> Iterator[Finding]:
    """Where adversarial examples are shown, clean images and a disturbance of that size are too."""
    study = subject.study
    for arm in study.all_arms:
        shown = {p.show for c in study.of_arm(arm).values() for p in c.shown_pictures}
        if "mistake" not in shown:
            continue
        if not shown & {"clean", "control"}:
            elsewhere = [
                other
                for other in study.all_arms
                if {p.show for c in study.of_arm(other).values() for p in c.shown_pictures}
                & {"clean", "control"}
            ]
            yield lacking(
                study,
                f"arms.{arm}",
                "no clean and no noise control: nothing says how "
                "often people answer so without an attack; add conditions with show: clean and "
                "show: control"
                + f"; arm {', '.join(elsewhere)} shows them to other people, who may answer "
                "otherwise for other reasons" * bool(elsewhere),
            )
        elif "control" not in shown:
            yield warn(
                f"arms.{arm}",
                "no noise control: whether the attack does more than any "
                "disturbance of its size stays open; add a condition with show: control",
            )


@rule
def explanations_without_placebo(subject: Subject) -> Iterator[Finding]:
    """Maps are compared to placebo maps and to no map at all (Adebayo 2022, Dinu 2020)."""
    study = subject.study
    shown = {
        label: {_kind(p, subject) for p in c.shown_pictures}
        for label, c in study.conditions.items()
    }
    if not any("map" in kinds for kinds in shown.values()):
        return
    placebo = any("placebo" in kinds for kinds in shown.values())
    none = any(not kinds & {"map", "placebo"} for kinds in shown.values())
    if not placebo and not none:
        yield lacking(
            study,
            "conditions",
            "maps without a placebo and without a condition or arm "
            "that shows none: what they do for people cannot be told; add show: placebo, or a "
            "map by a null method",
        )
    elif not placebo:
        yield warn(
            "conditions",
            "no placebo map: any picture beside the image might do as much; "
            "add a condition or arm with show: placebo, or with maps by a null method",
        )
    elif not none and not all("placebo" in kinds for kinds in shown.values() if "map" in kinds):
        yield warn(
            "conditions",
            "no condition or arm without a map: whether maps help at all stays open",
        )


def _kind(picture: Picture, subject: Subject) -> str:
    """Return what a picture shows; a map by a null method is a placebo."""
    if picture.show != "map" or picture.method is None:
        return picture.show
    name, results = picture.method, subject.results
    role = Role("maps", picture.defense or "", picture.method)
    if results is not None and picture.defense and results.has(role):
        name = results.artifact(role).recipe.config["saliency"]["name"]
    return "placebo" if name in NULL_METHODS else "map"

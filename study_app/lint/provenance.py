"""Rules about what the pictures come from: names, models in doubt, images lost on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.components import meant
from engine.results import Results, Role
from engine.robustness.marks import MARKS
from study_app.lint.rules import Finding, Subject, error, rule, warn
from study_app.study import Picture

FEW_USABLE = 0.5
"""A smaller share of the test images that every condition can show is said."""
UNLIKE = 1.5
"""So many times as many images one model may be fooled on as a different one."""


@rule
def known_names(subject: Subject) -> Iterator[Finding]:
    """Every defense, attack and saliency method that a picture names is in the experiment."""
    if subject.results is None:
        return
    keys = {"defense": "defenses", "attack": "attacks", "method": "saliency"}
    known = {kind: list(subject.results.config[key]) for kind, key in keys.items()}
    for label, condition in subject.study.conditions.items():
        for picture in condition.shown_pictures:
            for kind, name in _named(picture):
                if name not in known[kind]:
                    yield error(
                        f"conditions.{label}",
                        f"{kind} {name!r} is not in the experiment {subject.results.name}"
                        f"{meant(name, known[kind])}; known: {', '.join(known[kind])}",
                    )


def _named(picture: Picture) -> Iterator[tuple[str, str]]:
    of = picture.of if picture.is_map and picture.of != "clean" else None
    named = {"defense": picture.defense, "attack": picture.attack or of, "method": picture.method}
    yield from ((kind, name) for kind, name in named.items() if name is not None)


@rule
def doubted_models(subject: Subject) -> Iterator[Finding]:
    """Models whose robustness is in doubt are not compared without a word."""
    if subject.results is None:
        return
    shown: dict[str, list[str]] = {}
    for label, condition in subject.study.conditions.items():
        for defense, _ in condition.pairs():
            shown.setdefault(defense, []).append(label)
    for defense, labels in shown.items():
        reasons = _reasons(subject.results, defense)
        if reasons:
            signs = "; ".join(f"{MARKS.get(each, '')} {each}".strip() for each in reasons)
            also = "".join(f", {label}" for label in dict.fromkeys(labels[1:]))
            yield warn(
                f"conditions.{labels[0]}{also}",
                f"shows mistakes of the model {defense}, which is in doubt ({signs}): they may be "
                "those of an attack that fails on it"
                + ", and compared with others they say little about the defense" * (len(shown) > 1)
                + "; say so where you report them, or leave it out",
            )


@rule
def doubtful_maps(subject: Subject) -> Iterator[Finding]:
    """Maps that are marked, or that were brought from a file, are not shown without a word."""
    results = subject.results
    if results is None:
        return
    shown: dict[tuple[str, str], list[str]] = {}
    for label, condition in subject.study.conditions.items():
        for picture in condition.shown_pictures:
            if picture.defense is None or picture.method is None:
                continue
            if results.has(Role("maps", picture.defense, picture.method)):
                shown.setdefault((picture.defense, picture.method), []).append(label)
    for (defense, method), labels in shown.items():
        fit = results.maps(defense, method).fit
        # Of maps that are zero everywhere `lost_images` speaks.
        told = [each for each in fit.reasons if each.code != "blank"]
        if fit.verdict != "doubtful" or not told:
            continue
        reasons = "; ".join(f"{each.says} ({each.code})" for each in told)
        yield warn(
            f"conditions.{', '.join(dict.fromkeys(labels))}",
            f"shows maps by {method} of the model {defense} that are marked: {reasons}. What "
            "people make of them says little about the network; say so where you report them, or "
            "take another method",
        )


def _reasons(results: Results, defense: str) -> list[str]:
    if defense not in results.whole_models:
        return []
    return list(results.doubts(defense)["reasons"])


@rule
def lost_images(subject: Subject) -> Iterator[Finding]:
    """Enough test images can be shown in every condition, and each attack loses about as many."""
    if subject.drawn is None:
        return
    attrition: Mapping[str, Any] = subject.drawn.document["attrition"]
    by_attack = {
        name: facts for name, facts in attrition.items() if "attempted" in facts
    }  # fmt: skip
    usable = {name: facts["usable"] for name, facts in by_attack.items()}
    if usable and max(usable.values()) > UNLIKE * min(usable.values()):
        few, many = min(usable, key=usable.__getitem__), max(usable, key=usable.__getitem__)
        yield warn(
            "conditions",
            f"{few} makes mistakes of {usable[few]} of {by_attack[few]['attempted']} test images, "
            f"{many} of {usable[many]}: the images that are shown are those on which the rarer "
            "one succeeds, so that rates hold for them alone; say so where you report them",
        )
    everywhere = {name: facts["hit_by_all"] for name, facts in by_attack.items()}
    for name, left in everywhere.items():
        tried = by_attack[name]["attempted"]
        if subject.study.selection == "shared" and left < FEW_USABLE * tried:
            yield warn(
                "conditions",
                f"{left} of {tried} test images are mistaken in every condition: rates hold for "
                "images that fool every model, which are not any images; say so where you report "
                "them",
            )
            break
    for name, facts in attrition.items():
        if facts.get("blank", 0) > FEW_USABLE * facts.get("maps", 0):
            yield warn(
                "conditions",
                f"{name}: {facts['blank']} of {facts['maps']} maps are zero everywhere, as a "
                "masked model's are; there is nothing to see in them",
            )

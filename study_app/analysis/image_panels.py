"""Each source image with what was shown of it in each condition, and what people said."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from db import repository
from engine.analysis.estimates import Item
from study_app.analysis import formats
from study_app.analysis.figures import Names, in_order
from study_app.analysis.findings import Findings, OutcomeFindings
from study_app.analysis.stages import StageView

MOST_BYTES = 8_000_000
"""Of pictures in one page; further images are left out, and the page says so."""


@dataclass(frozen=True)
class Shown:
    """A picture of a condition with what people said of it.

    Attributes:
        title: of condition and arm.
        address: of the PNG, as a data: URI.
        alt: what it is, in words.
        told: the outcome's value, and of how many ratings.
        share: the value in [0, 1] of the scale; None where it has none.
    """

    title: str
    address: str
    alt: str
    told: str
    share: float | None


@dataclass(frozen=True)
class Panel:
    """A source image with its pictures."""

    title: str
    shown: Sequence[Shown]


def panels(
    s: Session,
    found: Findings,
    view: StageView,
    each: OutcomeFindings,
    passports: Mapping[str, Mapping[str, Any]],
    class_names: Sequence[str],
) -> tuple[list[Panel], int]:
    """Return the images of an outcome, the highest mean first, and how many are left out.

    Args:
        s: the session.
        found: all findings.
        view: the stage.
        each: those of the outcome that is told.
        passports: of the stimuli, by id.
        class_names: in the dataset's order.
    """
    stimuli = _stimuli(view)
    by_image: dict[str, list[Item]] = {}
    for item in each.images:
        by_image.setdefault(item.key, []).append(item)
    ranked = sorted(by_image, key=lambda key: (-_mean(by_image[key]), key))
    wanted = {stimuli[key, i.condition] for key in ranked for i in by_image[key]
              if (key, i.condition) in stimuli}  # fmt: skip
    pngs = repository.stimulus_pngs(s, wanted)
    names = Names(found)
    made: list[Panel] = []
    held = 0
    for key in ranked:
        items = in_order(found, by_image[key])
        seen = [(item, stimuli.get((key, item.condition), "")) for item in items]
        there = [(item, of) for item, of in seen if of in pngs and of in passports]
        shown = [_shown(names, each, item, passports[of], pngs[of], class_names)
                 for item, of in there]  # fmt: skip
        held += sum(len(one.address) for one in shown)
        if held > MOST_BYTES:
            return made, len(ranked) - len(made)
        if there:
            passport = passports[there[0][1]]
            truth = _class(passport["true_label"], class_names)
            made.append(Panel(f"Image {passport['source']['index']}: {truth}", shown))
    return made, 0


def truths(passports: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Return the true class of each source image."""
    return {p["source"]["image_id"]: p["true_label"] for p in passports.values()}


def _shown(
    names: Names,
    each: OutcomeFindings,
    item: Item,
    passport: Mapping[str, Any],
    png: bytes,
    class_names: Sequence[str],
) -> Shown:
    title = names.cell(item.condition, item.arm)
    alt = f"{title}: {passport['kind']} picture of a {_class(passport['true_label'], class_names)}"
    if passport.get("target") is not None:
        alt += f", target {_class(passport['target'], class_names)}"
    of = formats.counted(item.answered, "rating")
    share = None
    if item.value is not None:
        told = f"{formats.quantity(each.outcome, item.value)} of {of}"
        low = each.outcome.low if each.outcome.low is not None else 0.0
        high = each.outcome.high if each.outcome.high is not None else 1.0
        share = min(1.0, max(0.0, (item.value - low) / (high - low)))
    elif item.counts:
        most = max(item.counts, key=lambda value: item.counts[value])
        told = f"most often {_value(most, class_names)} ({item.counts[most]} of {of})"
    else:
        told = of
    address = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return Shown(title, address, alt, told, share)


def _stimuli(view: StageView) -> dict[tuple[str, str], str]:
    """Return the first picture's stimulus of each (source image, condition) of main trials."""
    main = view.ratings[view.ratings["trial_type"] == "main"]
    columns = ["source_image_id", "condition", "stimulus_id"]
    found = main[columns].drop_duplicates(columns[:2])
    return {
        (str(image), str(condition)): str(stimulus)
        for image, condition, stimulus in found.itertuples(index=False)
    }


def _mean(items: Sequence[Item]) -> float:
    known = [(item.value, item.answered) for item in items if item.value is not None]
    total = sum(answered for _, answered in known)
    return sum(value * answered for value, answered in known) / total if total else 0.0


def _class(label: int, class_names: Sequence[str]) -> str:
    return class_names[label] if label < len(class_names) else str(label)


def _value(value: str, class_names: Sequence[str]) -> str:
    return _class(int(value), class_names) if value.isdecimal() else value

"""What a study's pictures are like, by condition: how large the disturbance, how sure the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.results import Results, Role
from study_app.study import Study

if TYPE_CHECKING:
    from engine.jobs.examples import Examples

Passport = Mapping[str, Any]
_QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Spread:
    """Quartiles of a quantity over stimuli, each counted once."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Shown:
    """The stimuli that stand at one place of a condition's presentations, over all lists.

    Attributes:
        condition: its label.
        place: of the picture in the presentation, from 0, as the study file has them.
        kind: "adversarial", "control", "clean" or "map".
        images: how many source images they were made from.
        l2, linf: norms of the disturbance of the 8-bit pixels, in units of the pixel range; None
            where nothing was disturbed.
        confidence: the model's in its answer to what is shown; None where no model is spoken of.
    """

    condition: str
    place: int
    kind: str
    images: int
    l2: Spread | None
    linf: Spread | None
    confidence: Spread | None

    @property
    def which(self) -> str:
        """Which picture of the presentation it is, ", picture 2"; of the first nothing is said."""
        return f", picture {self.place + 1}" if self.place else ""


def shown(document: Mapping[str, Any], passports: Mapping[str, Passport]) -> list[Shown]:
    """Return what the main presentations of a design show, by condition and place.

    Args:
        document: `study_app.design.study_design.Design.document`, as made or as stored.
        passports: of its stimuli, by id.
    """
    found: dict[tuple[str, int], dict[str, Passport]] = {}
    for entry in _entries(document):
        for place, stimulus_id in enumerate(entry["pictures"]):
            at = found.setdefault((entry["condition"], place), {})
            at[stimulus_id] = passports[stimulus_id]
    order = list(document["conditions"])
    ordered = sorted(found.items(), key=lambda each: (order.index(each[0][0]), each[0][1]))
    return [_shown(*at, list(each.values())) for at, each in ordered]


def possible(study: Study, results: Results) -> list[Shown]:
    """Return what disturbed pictures are like over all test images that could be shown so.

    It tells where no design can be drawn, as of an attack that a model withstands. What is not in
    the experiment, or failed there, is left out.
    """
    found = []
    for label, condition in study.conditions.items():
        for place, picture in enumerate(condition.shown_pictures):
            made = Role("examples", picture.defense or "", picture.attack or "")
            if picture.attack is None or not results.has(made):
                continue
            examples: Examples = results.read(made)
            all_ = np.ones(len(examples.l2), dtype=np.bool_)
            usable = np.flatnonzero(examples.mistakes if picture.show == "mistake" else all_)
            if len(usable):
                kind = "adversarial" if picture.show == "mistake" else "control"
                l2, linf = (_spread(each[usable]) for each in (examples.l2, examples.linf))
                found.append(Shown(label, place, kind, len(usable), l2, linf, None))
    return found


def asked(document: Mapping[str, Any]) -> dict[str, list[tuple[int, int]]]:
    """Return (true label, label asked about) of each source image, by condition that asks."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for entry in _entries(document):
        if entry["shown_label"] is not None:
            fact = document["facts"][entry["pictures"][0]]
            at = found.setdefault(entry["condition"], {})
            at[fact["source"]["image_id"]] = (fact["true_label"], entry["shown_label"])
    return {condition: list(pairs.values()) for condition, pairs in found.items()}


def lines(pictures: Iterable[Shown], titles: Mapping[str, str]) -> list[str]:
    """Return a line per condition and place: how large the disturbance is, how sure the model.

    Args:
        pictures: as `shown` returns them.
        titles: of the conditions, by label, in the order in which they are told.
    """
    order = list(titles)
    ranked = sorted(pictures, key=lambda each: (order.index(each.condition), each.place))
    return [f"{titles[each.condition]}{each.which}: {_said(each)}" for each in ranked]


def _said(each: Shown) -> str:
    said = [f"{each.images} source images"]
    if each.l2 is not None and each.linf is not None:
        said.append(f"L2 {_in_words(each.l2)}, L-inf {_in_words(each.linf)}")
    if each.confidence is not None:
        said.append(f"model's confidence {each.confidence.median:.2f}")
    return ", ".join(said)


def _in_words(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.low:.2f} to {spread.high:.2f})"


def _entries(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for arm in document["arms"].values():
        for each in arm["lists"]:
            yield from each


def _shown(condition: str, place: int, passports: list[Passport]) -> Shown:
    norms = [p["norms"] for p in passports if p["norms"] is not None]
    said = [p["prediction"]["confidence"] for p in passports if p["prediction"] is not None]
    return Shown(
        condition,
        place,
        passports[0]["kind"],
        len({p["source"]["image_id"] for p in passports}),
        _spread(each["l2"] for each in norms),
        _spread(each["linf"] for each in norms),
        _spread(said),
    )


def _spread(values: Iterable[float]) -> Spread | None:
    held = list(values)
    return Spread(*np.quantile(held, _QUARTILES).tolist()) if held else None

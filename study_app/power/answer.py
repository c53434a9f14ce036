"""The answer to "how many people and images?": a table, a recommendation, and what limits both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from study_app.design import attention
from study_app.power.grid import (
    CROWD,
    ENOUGH,
    Power,
    Setting,
    Shown,
    by_cluster_t,
    by_mixed,
    grid,
    people_needed,
    power,
)
from study_app.power.incidence import Losses
from study_app.study import Study


@dataclass(frozen=True)
class Limit:
    """What comes of a number of images with which no asked number of people is enough.

    Attributes:
        comparison: its number.
        images: how many.
        people: how many people would be enough; None where `CROWD` are not.
        crowd: the power with `CROWD` people.
    """

    comparison: int
    images: int
    people: int | None
    crowd: Shown


@dataclass(frozen=True)
class Answer:
    """The power of a study's comparisons.

    Attributes:
        setting: what was simulated.
        cells: by comparison, people and images.
        limits: for each number of images with which no asked number of people is enough: of the
            comparison that is hardest then.
        notes: what must be said beside the numbers.
    """

    setting: Setting
    cells: Sequence[Power]
    limits: Sequence[Limit]
    notes: Sequence[str]

    def recommendation(self) -> str:
        """Return in a sentence how many people and images to take, and how sure that is."""
        hardest = min(best_cells(self.cells), key=lambda cell: cell.power.share)
        found = f"{hardest.people} people and {hardest.images} images give {self.told(hardest)}."
        return found if hardest.power.enough else f"No number asked for is enough: {found}"

    def told(self, cell: Power) -> str:
        """Return the power of a cell in words: "83 % (79 to 87) for 12 points"."""
        one = self.setting.compared[cell.comparison]
        effect = (
            f"to show that the difference is within {points(one.margin or 0)}"
            if one.claim == "equivalent"
            else f"for {points(one.effect)}"
        )
        many = len(self.setting.compared) > 1
        named = f" ({one.label}, the hardest of {len(self.setting.compared)})" if many else ""
        said = f"{percent(cell.power)} {effect}{named}"
        if cell.upper is not None:
            said += f"; with the upper range of the components {percent(cell.upper, short=True)}"
        return said

    def sentences(self) -> Iterator[str]:
        """Yield what is said under the table: the recommendation first."""
        yield self.recommendation()
        for limit in self.limits:
            label = self.setting.compared[limit.comparison].label
            of = f" ({label})" if len(self.setting.compared) > 1 else ""
            if limit.people is None:
                yield (
                    f"With {limit.images} images no number of people reaches "
                    f"{100 * ENOUGH:g} %{of}: {CROWD} give {percent(limit.crowd)}."
                )
            else:
                yield f"With {limit.images} images about {limit.people} people would do{of}."
        yield from self.notes

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        setting = self.setting
        return {
            "study": setting.study.name,
            "comparisons": [
                {
                    "contrast": one.number, "label": one.label, "claim": one.claim,
                    "test": one.test, "family": one.family, "effect": one.effect,
                    "margin": one.margin if one.claim == "equivalent" else None,
                }
                for one in setting.compared
            ],
            "components": asdict(setting.components),
            "base": {label or "others": share for label, share in setting.base.items()},
            "excluded": dict(setting.losses.excluded),
            "left": setting.losses.left,
            "seed": setting.seed,
            "runs": setting.runs,
            "cells": [asdict(cell) for cell in self.cells],
            "limits": [asdict(limit) for limit in self.limits],
            "said": list(self.sentences()),
        }  # fmt: skip


def ask(
    setting: Setting, people: Sequence[int], images: Sequence[int], left_out: Sequence[str] = ()
) -> Answer:
    """Return the power over numbers of people and images, and what follows.

    Args:
        setting: what is simulated.
        people: numbers of people.
        images: numbers of source images, rounded to whole sets.
        left_out: what is not simulated, in sentences.
    """
    declared, setting = setting, by_cluster_t(setting)
    cells = grid(setting, people, images)
    limits = []
    for count in sorted({cell.images for cell in cells}):
        own = [cell for cell in cells if cell.images == count]
        most = [cell for cell in own if cell.people == max(people)]
        hardest = min(most, key=lambda cell: cell.power.share)
        if not hardest.power.enough:
            limits.append(_limit(setting, hardest))
    notes = [_counted(setting), *(f"Left out: {each}." for each in left_out)]
    if by_mixed(declared.compared):
        notes.append(_with_mixed(declared, best_cells(cells)))
    sets = {setting.sets(number) for number in images}
    notes += [f"{_images(setting, n)} images are not there yet: {why}"
              for n in sorted(sets) if (why := setting.missing(n))]  # fmt: skip
    return Answer(setting, cells, limits, notes)


def best_cells(cells: Sequence[Power]) -> Sequence[Power]:
    """Return the cells of the fewest people, then images, that are enough for all comparisons.

    Where none are, those of the largest numbers.
    """
    together: dict[tuple[int, int], list[Power]] = {}
    for cell in cells:
        together.setdefault((cell.people, cell.images), []).append(cell)
    good = [key for key, found in together.items() if all(c.power.enough for c in found)]
    if good:
        return together[min(good)]
    return together[max(together)]


def expected_losses(
    study: Study,
    classes: int | None = None,
    *,
    excluded: float | None = None,
    left: float = 0.0,
) -> Losses:
    """Return who does not count: as given, or what the attention rules lose of honest people."""
    if excluded is not None:
        return Losses(dict.fromkeys(study.all_arms, excluded), left)
    figures = attention.figures(study, classes) or ()
    return Losses({each.arm: each.honest_lost for each in figures}, left)


def percent(found: Shown, *, short: bool = False) -> str:
    """Return a power in words: "83 % (79 to 87)", or "83 %"."""
    said = f"{100 * found.share:.0f} %"
    return said if short else f"{said} ({100 * found.low:.0f} to {100 * found.high:.0f})"


def points(difference: float) -> str:
    """Return a difference of shares in words: "12 points"."""
    number = f"{100 * difference:.3g}"
    return f"{number} point{'s' * (number != '1')}"


def _with_mixed(setting: Setting, cells: Sequence[Power]) -> str:
    """Return what the mixed model, which decides, makes of the recommended numbers."""
    found = power(setting, cells[0].people, setting.sets(cells[0].images))
    hardest = min(found, key=lambda cell: cell.power.share)
    return (
        f"The numbers are of the two-way cluster t. The declared mixed model shows it in "
        f"{percent(hardest.power)} of {hardest.runs} studies of {hardest.people} people and "
        f"{hardest.images} images."
    )


def _limit(setting: Setting, cell: Power) -> Limit:
    sets = setting.sets(cell.images)
    crowd = power(setting, CROWD, sets, ends=False)[cell.comparison].power
    people = None
    if crowd.enough:
        people = people_needed(setting, sets, cell.comparison, start=cell.people).people
    return Limit(cell.comparison, cell.images, people, crowd)


def _images(setting: Setting, sets: int) -> int:
    return sets * setting.own_images // setting.study.image_sets


def _counted(setting: Setting) -> str:
    """Return what was reckoned with, in a sentence."""
    shares = {label: f"{share:.2g}" for label, share in setting.base.items()}
    others = shares.pop("")
    base = ", ".join([*(f"{share} in {label}" for label, share in shares.items()), others])
    base += " in all others" * bool(shares)
    lost = max(setting.losses.excluded.values(), default=0.0)
    gone = [f"{attention.percent(lost)} of people are excluded"] if lost else []
    gone += [f"{attention.percent(setting.losses.left)} leave on the way"] * (
        setting.losses.left > 0
    )
    losses = f" {' and '.join(gone)}." if gone else ""
    return (
        f"Reckoned with: a share of {base} without the effect; standard deviations in log-odds: "
        f"{setting.components}.{losses}"
    )

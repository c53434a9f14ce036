"""How often intervals of shares and differences hold the truth, and how wide they are.

    PYTHONPATH=. .venv/bin/python benchmarks/intervals.py shares --runs 2000
    PYTHONPATH=. .venv/bin/python benchmarks/intervals.py differences --runs 2000

Studies with new people and new images each: the log-odds of a yes are normal over people and over
images (standard deviation 1 each, unless told), the share over all of them is the truth. Width is
the mean width over 2 x 1.96 standard deviations of the estimates, so that 1 is ideal. `--part 1/2`
runs every second cell, from the first.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.statistics.clustered import difference, share
from tests.support.simulated_ratings import answers, intercept

Table = NDArray[np.bool_]


@dataclass(frozen=True)
class Cell:
    """A design, and what is true in it.

    Attributes:
        people, images: how many.
        of: the share, or that of the first group.
        other: the share of the second group; None where one share is estimated.
        design: who rates what.
        deviations: standard deviations in log-odds, by the names of `simulated_ratings.answers`.
    """

    people: int
    images: int
    of: float
    other: float | None = None
    design: str = "all"
    deviations: Mapping[str, float] = field(default_factory=dict)


NONE = {"person": 0.0, "image": 0.0}
ALIKE = {"person_condition": 0.0, "image_condition": 0.0}
STRONG = {"person": 0.7, "image": 1.8}


def shares() -> Iterable[Cell]:
    """Cells with one share."""
    for of in (0.05, 0.2, 0.5, 0.8, 0.95):
        for people, images in ((8, 8), (12, 8), (12, 20), (40, 20), (40, 100), (200, 8), (200, 20)):
            yield Cell(people, images, of)
    for of in (0.05, 0.2, 0.5):
        for people in (12, 40, 200):
            yield Cell(people, 20, of, design="4 of each")
            yield Cell(people, 20, of, design="2 of each")
        yield Cell(40, 20, of, design="unequal")
        yield Cell(200, 20, of, design="half of 2 images")
        yield Cell(40, 20, of, design="some leave")
        for people in (12, 40, 200):
            yield Cell(people, 20, of, design="who says no leaves")
        yield Cell(40, 20, of, deviations=STRONG)
        yield Cell(40, 20, of, deviations=NONE)
        yield Cell(12, 8, of, deviations=NONE)
    for of in (0.05, 0.5):
        for people, images in ((12, 3), (40, 3), (200, 3), (40, 5), (12, 6), (40, 7)):
            yield Cell(people, images, of)


def differences() -> Iterable[Cell]:
    """Cells with two groups."""
    for of in (0.3, 0.42):
        for people in (20, 40, 100):
            yield Cell(people, 20, of, 0.3, "demo")
        for people, images in ((12, 8), (12, 20), (40, 20), (200, 8)):
            yield Cell(people, images, of, 0.3)
        for people in (12, 40, 200):
            yield Cell(people, 20, of, 0.3, "4 of each")
        for people in (24, 80):
            yield Cell(people, 20, of, 0.3, "arms")
        yield Cell(40, 40, of, 0.3, "other images")
        yield Cell(40, 40, of, 0.3, "arms, other images")
        yield Cell(40, 20, of, 0.3, "some leave")
    yield Cell(40, 20, 0.05, 0.05, "demo")
    yield Cell(40, 20, 0.15, 0.05, "demo")
    yield Cell(40, 20, 0.15, 0.05)
    for people in (12, 40):
        yield Cell(people, 20, 0.3, 0.3, "demo", ALIKE)
        yield Cell(people, 20, 0.3, 0.3, "all", ALIKE)
    yield Cell(40, 20, 0.3, 0.3, "demo", {**ALIKE, **NONE})
    yield Cell(40, 20, 0.3, 0.3, deviations={"person_condition": 0.8, "image_condition": 1.2})
    yield Cell(40, 5, 0.3, 0.3)


def one_share(rng: np.random.Generator, cell: Cell) -> tuple[NDArray[Any], ...]:
    """Draw a study of one share: yes, person and image of each rating, (N,) each."""
    people, images = cell.people, cell.images
    deviations = {"person": 1.0, "image": 1.0, **cell.deviations}
    spread = sqrt(deviations["person"] ** 2 + deviations["image"] ** 2)
    who = rng.normal(0, deviations["person"], people)
    what = rng.normal(0, deviations["image"], images)
    logits = intercept(cell.of, spread) + who[:, None] + what
    yes = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
    person, image = np.nonzero(_asked(rng, cell, who))
    return yes[person, image], person, image


def _asked(rng: np.random.Generator, cell: Cell, who: NDArray[np.float64]) -> Table:
    """Return who rates what, (people, images)."""
    people, images = np.indices((cell.people, cell.images))
    all_of = np.ones(people.shape, dtype=bool)
    if cell.design == "all":
        return all_of
    if cell.design.endswith(" of each"):
        return (people + images) % (cell.images // int(cell.design[0])) == 0
    chance = rng.random(people.shape)
    if cell.design == "unequal":
        return chance < np.where(people % 2, 1, 0.2) * (0.3 + 0.7 * images / (cell.images - 1))
    if cell.design == "half of 2 images":
        often = people < max(1, cell.people // 10)
        return chance < np.where(often, 1, 0.12) * np.where(images < 2, 1, 0.25)
    order = rng.permuted(np.tile(np.arange(cell.images), (cell.people, 1)), axis=1)
    if cell.design == "some leave":
        last = np.where(
            rng.random(cell.people) < 0.4, rng.integers(1, cell.images, cell.people), cell.images
        )
    else:
        leaves = rng.random(cell.people) < 1.6 / (1 + np.exp(2 * who))
        last = np.where(leaves, max(1, cell.images // 5), cell.images)
    return order < last[:, None]


def two_groups(rng: np.random.Generator, cell: Cell) -> tuple[NDArray[Any], ...]:
    """Draw a study of two groups: yes, whether of the first, person and image of each rating."""
    assert cell.other is not None
    each = 4 if cell.design == "4 of each" else None
    yes, asked = answers(
        rng, [cell.of, cell.other], cell.people, cell.images, each=each, **cell.deviations
    )
    people, images = np.indices(asked.shape[1:])
    if cell.design == "demo":  # ten lists: four images of each condition, of a cycle of ten
        place = (people + images) % 10
        asked = np.stack([(place == 0) | (place == 3), (place == 1) | (place == 4)])
    if cell.design.startswith("arms"):
        asked &= np.stack([people % 2 == 0, people % 2 == 1])
    if cell.design.endswith("other images"):
        asked &= np.stack([images < cell.images // 2, images >= cell.images // 2])
    if cell.design == "some leave":
        stays = rng.random(cell.people) > 0.4
        asked &= stays[:, None] | (rng.random(asked.shape) < 0.3)
    condition, person, image = np.nonzero(asked)
    return yes[condition, person, image], condition == 0, person, image


def told(cell: Cell) -> str:
    names = {"person": "people", "image": "images", "person_condition": "people x condition"}
    names["image_condition"] = "images x condition"
    away = ", ".join(f"{names[name]} {value:g}" for name, value in cell.deviations.items())
    truth = f"{cell.of:g}" if cell.other is None else f"{cell.of:g} and {cell.other:g}"
    design = cell.design + (f"; SD of {away}" if away else "")
    return f"| {cell.people} x {cell.images} | {design} | {truth} |"


def run_shares(cell: Cell, runs: int) -> str:
    """Return a row of the table of shares."""
    rng = np.random.default_rng(77)
    row = told(cell)
    studies = [one_share(rng, cell) for _ in range(runs)]
    for weights in ("people", "ratings"):
        if weights == "ratings" and (cell.design == "all" or cell.design.endswith(" of each")):
            return f"{row} same | same |"
        found = [share(*study, weights=weights) for study in studies if len(study[0])]
        row += _figures(
            cell.of,
            np.array([each.value for each in found], dtype=np.float64),
            np.array([(each.low, each.high) for each in found]),
        )
    return row


def run_differences(cell: Cell, runs: int) -> str:
    """Return a row of the table of differences."""
    assert cell.other is not None
    rng = np.random.default_rng(4)
    found = [difference(*two_groups(rng, cell)).estimate for _ in range(runs)]
    ends = np.array([each.interval() for each in found])
    decided = float(((ends[:, 0] > 0) | (ends[:, 1] < 0)).mean())
    values = np.array([each.value for each in found], dtype=np.float64)
    return f"{told(cell)}{_figures(cell.of - cell.other, values, ends)} {decided:.3f} |"


def _figures(truth: float, values: NDArray[np.float64], ends: NDArray[np.float64]) -> str:
    covered = ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean()
    width = (ends[:, 1] - ends[:, 0]).mean() / (2 * 1.96 * values.std())
    return f" {covered:.3f} | {width:.2f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("shares", "differences"))
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--part", default="1/1", help="such as 1/2: every second cell")
    options = parser.parse_args()
    at, step = map(int, options.part.split("/"))
    if options.what == "shares":
        print("| people x images | design | truth | covers | width | rating-weighted | width |")
        print("|---|---|--:|--:|--:|--:|--:|")
        cells, run = list(shares()), run_shares
    else:
        print("| people x images | design | truth | covers | width | decided |")
        print("|---|---|--:|--:|--:|--:|")
        cells, run = list(differences()), run_differences
    for cell in cells[at - 1 :: step]:
        print(run(cell, options.runs), flush=True)


if __name__ == "__main__":
    main()

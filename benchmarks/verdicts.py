"""How often verdicts are wrong, and how often they see what is there, in simulated results.

    PYTHONPATH=. .venv/bin/python benchmarks/verdicts.py --runs 3000

Results are made up, 400 images and so many seeds, and judged by what judges the papers' claims
(`engine.replication.check`, without the correction for other statements). Networks differ by seed
(standard deviation .05 each, .1 where one model is compared with a bound), images by .15, and .3 is
left over. In a tie every decision is an error; the nominal level is .025 in each direction.

Then the two-way interval of 95 %, by how often it holds the truth, and its mean width over that of
the known spread of the estimate (1 is ideal); and the equivalence test, whose verdicts are errors
where the true difference is at its margin.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engine.replication import FEWEST_SEEDS, check
from engine.replication.claims import How
from engine.statistics import mean

IMAGES = 400
GAIN, MARGIN = 0.15, 0.15
Tables = list[NDArray[np.float64]]
Make = Callable[[np.random.Generator, int], Tables]


def effects(
    rng: np.random.Generator,
    rows: int,
    columns: int = IMAGES,
    *,
    of_rows: float,
    of_columns: float = 0.0,
    rest: float = 0.3,
) -> NDArray[np.float64]:
    """Return a table whose true mean is 0."""
    return (
        rng.normal(0, of_rows, (rows, 1))
        + rng.normal(0, of_columns, (1, columns))
        + rng.normal(0, rest, (rows, columns))
    )


def one(rng: np.random.Generator, seeds: int, ahead: float = 0.0) -> Tables:
    """Return one comparison with a bound."""
    return [ahead + effects(rng, seeds, of_rows=0.1, of_columns=0.15)]


def rivals(rng: np.random.Generator, seeds: int, ahead: float = 0.0, *, count: int) -> Tables:
    """Return how far a model is ahead of each of several, which are equally good."""
    mine = ahead + effects(rng, seeds, of_rows=0.05)
    return [mine - effects(rng, seeds, of_rows=0.05) for _ in range(count)]


def steps(rng: np.random.Generator, seeds: int, ahead: float = 0.0, *, count: int = 7) -> Tables:
    """Return how far each of several kept steps is ahead of the end of training."""
    network = rng.normal(0, 0.1, (seeds, 1))
    end = network + effects(rng, seeds, of_rows=0.03)
    return [network + ahead + effects(rng, seeds, of_rows=0.03) - end for _ in range(count)]


def verdicts(
    make: Make, *, seeds: int, runs: int, how: How, bound: float = 0.0, halve: bool = False
) -> tuple[float, float]:
    """Return the shares of runs that come out "holds" and "fails".

    Args:
        make: returns the comparisons of a run.
        seeds: of a run.
        runs: how many.
        how: see `engine.replication.check`.
        bound: see there.
        halve: whether half of the images chooses the step that the other half measures.
    """
    rng = np.random.default_rng(8)
    found = []
    for _ in range(runs):
        tables = make(rng, seeds)
        named = {str(place): table for place, table in enumerate(tables)}
        choose = None
        if halve:
            test, valid = ({k: v[:, part::2] for k, v in named.items()} for part in (0, 1))
            named, choose = test, partial(dict, valid)
        found.append(check("", "", "", partial(dict, named), bound=bound, how=how, choose=choose))
    # With fewer seeds than five a verdict would be withheld: what it would have been is told.
    side = [
        0 if each.value is None or each.p > 0.05 else 1 if each.value > bound else -1
        for each in found
    ]
    above, below = (float(np.mean([s == sign for s in side])) for sign in (1, -1))
    return (below, above) if how == "equivalent" else (above, below)


def coverage(tables: Iterable[NDArray[np.float64]]) -> tuple[float, float]:
    """Return how often the interval holds 0, and its mean width over the ideal one."""
    found = [mean(table) for table in tables]
    low, high = np.array([each.interval() for each in found]).T
    held = float(((low <= 0) & (high >= 0)).mean())
    return held, float((high - low).mean() / (2 * 1.96 * np.std([each.value for each in found])))


def sparse(rng: np.random.Generator, people: int, images: int, each: int) -> NDArray[np.float64]:
    """Return ratings of which a person gives `each`, spread over the images in turn."""
    seen = np.zeros((people, images), bool)
    for person in range(people):
        seen[person, (np.arange(each) * (images // each) + person) % images] = True
    table = effects(rng, people, images, of_rows=1, of_columns=1, rest=2)
    return np.where(seen, table, np.nan)


def main() -> None:
    """Print the tables of docs/benchmarks.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3000)
    runs = parser.parse_args().runs
    kinds: dict[str, tuple[Callable[..., Tables], How, bool]] = {
        "one rival": (one, "every", False),
        "3 rivals": (partial(rivals, count=3), "every", False),
        "5 rivals": (partial(rivals, count=5), "every", False),
        "best of 7 steps": (steps, "some", False),
        "step chosen on other images": (steps, "some", True),
    }
    print("| seeds | | tie: holds | tie: fails | .15 above: holds | .15 below: fails |")
    print("|--:|---|--:|--:|--:|--:|")
    for seeds in (3, FEWEST_SEEDS, 10):
        for title, (make, how, halve) in kinds.items():
            shares = [
                verdicts(partial(make, ahead=ahead), seeds=seeds, runs=runs, how=how, halve=halve)
                for ahead in (0.0, GAIN, -GAIN)
            ]
            cells = (*shares[0], shares[1][0], shares[2][1])
            print(f"| {seeds} | {title} |", " | ".join(f"{share:.3f}" for share in cells), "|")
    print("\n| seeds | equivalence, models | at the margin: holds | equal: holds | .3: fails |")
    print("|--:|---|--:|--:|--:|")
    for count in (1, 5):
        equal = partial(verdicts, seeds=FEWEST_SEEDS, runs=runs, how="equivalent", bound=MARGIN)
        shares = [
            equal(partial(rivals, count=count, ahead=away)) for away in (MARGIN, 0.0, 2 * MARGIN)
        ]
        cells = (shares[0][0], shares[1][0], shares[2][1])
        print(f"| {FEWEST_SEEDS} | {count} |", " | ".join(f"{share:.3f}" for share in cells), "|")
    print("\n| table | spread: rows, columns, rest | interval holds the truth | width / ideal |")
    print("|---|---|--:|--:|")
    for rows, columns, spread in (
        (5, 400, (0.1, 0.15, 0.3)), (5, 400, (0.02, 0.3, 0.3)), (5, 400, (0, 0, 0.3)),
        (10, 400, (0.1, 0.15, 0.3)), (5, 1, (1, 0, 0)),
    ):  # fmt: skip
        rng = np.random.default_rng(9)
        of = dict(zip(("of_rows", "of_columns", "rest"), spread, strict=True))
        held, width = coverage(effects(rng, rows, columns, **of) for _ in range(runs))
        told = ", ".join(f"{each:g}" for each in spread)
        print(f"| {rows} x {columns} | {told} | {held:.3f} | {width:.2f} |")
    for people, each in ((12, 20), (40, 20), (40, 4), (40, 2), (200, 2), (40, 1)):
        rng = np.random.default_rng(9)
        held, width = coverage(sparse(rng, people, 20, each) for _ in range(runs))
        print(f"| {people} x 20, {each} a person | 1, 1, 2 | {held:.3f} | {width:.2f} |")


if __name__ == "__main__":
    main()

"""How often intervals of strengths, agreement, consistency and utility hold the truth.

    PYTHONPATH=. .venv/bin/python benchmarks/preferences.py --runs 400

Studies are simulated with people and images drawn anew (`tests.support.simulated_judgements`), and
analysed by what analyses real ones. The truth is that of very many people and images. Printed is
how often the interval of 95 % holds it, and its mean width over 2 x 1.96 standard deviations of the
estimate (1 is ideal of normal estimates). What most studies of a line do not have is a dash.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from engine.analysis.preferences import strengths
from engine.analysis.rater_agreement import error_consistency
from engine.analysis.usefulness import usefulness
from engine.statistics.reliability import Level, alpha, alpha_influence
from engine.statistics.reliability import noise_ceiling as ceiling
from tests.support import simulated_judgements as simulated

Rng = np.random.Generator
Design = tuple[int, int, int | None]
Found = Iterable[tuple[float | None, float, float]]
THETA = (0.0, 0.5, 1.0, 1.5)
PLANS: list[Design] = [(8, 8, None), (12, 20, None), (40, 20, 4), (40, 40, 10), (100, 40, None)]
CROWD: Design = (200, 8, None)
LEVELS: dict[str, Level] = {
    "binary": "nominal",
    "rare": "nominal",
    "ordinal": "ordinal",
    "continuous": "interval",
}


def covered(runs: int, truth: NDArray[np.float64], study: Callable[[Rng], Found]) -> list[str]:
    """Return of each quantity how often its interval holds the truth, and its relative width."""
    rng = np.random.default_rng(0)
    found = [list(study(rng)) for _ in range(runs)]
    cells = []
    for place, true in enumerate(truth):
        known = [each[place] for each in found if each and each[place][0] is not None]
        if len(known) < runs / 4:  # mostly refused
            cells.append("– | –")
            continue
        value, low, high = np.array(known, dtype=float).T
        inside = np.isfinite(high - low)
        holds = float(((low <= true) & (true <= high))[inside].mean())
        width = float((high - low)[inside].mean() / (2 * 1.96 * value.std()))
        cells.append(f"{holds:.3f} | {width:.2f}")
    return cells


def of_preferences(runs: int) -> Iterator[str]:
    """Yield lines about strengths; every item counts, and then the side."""
    yield "| model | people x answers, images | strengths: holds | width | side: holds | width |"
    yield "|---|---|--:|--:|--:|--:|"
    kinds: dict[str, dict[str, object]] = {
        "pairs": {},
        "pairs, ties": {"tie": -0.5},
        "pairs, all people and images alike": {"person": 0.0, "image": 0.0},
        "three items, best": {"shown": 3},
        "three items, ranked": {"shown": 3, "ranked": True},
    }
    for name, how in kinds.items():
        outcome = simulated.outcome("ranking" if "ranked" in how else "preference")

        def study(
            rng: Rng,
            people: int,
            each: int,
            images: int,
            how: dict[str, object] = how,
            outcome: simulated.Outcome = outcome,
        ) -> Found:
            made = simulated.preferences(rng, THETA, people, each, images=images, **how)  # type: ignore[arg-type]
            (found,) = strengths(made, outcome)
            items = sorted(found.items, key=lambda item: item.item)
            yield from ((item.value, item.low, item.high) for item in items)
            if found.side:
                yield found.side

        many = list(study(np.random.default_rng(1), 4000, 12, 4000))
        truth = np.array([value for value, _, _ in many], dtype=float)
        for people, each, images in (
            (6, 12, 12),
            (12, 12, 20),
            (40, 6, 20),
            (40, 20, 20),
            (100, 10, 8),
        ):
            cells = covered(runs, truth, lambda rng: study(rng, people, each, images))  # noqa: B023
            numbers = np.array([cell.split(" | ") for cell in cells], dtype=float)
            holds, width = numbers[:4].mean(0)
            side = cells[4] if len(cells) > 4 else "| "
            yield f"| {name} | {people} x {each}, {images} | {holds:.3f} | {width:.2f} | {side} |"


def of_agreement(runs: int) -> Iterator[str]:
    """Yield lines about alpha and the noise ceiling."""
    yield "| ratings | people x images (each) | alpha | holds | width | ceiling | holds | width |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|"
    for kind, level in LEVELS.items():
        many = [simulated.units(np.random.default_rng(s), kind, 400, 1200) for s in range(4)]
        true_alpha = np.mean([alpha_influence(made[0], made[2], level)[0] for made in many])
        for people, images, each in [*PLANS, CROWD]:
            share = None if each is None else round(each * 1500 / images)
            drawn = (
                simulated.units(np.random.default_rng(seed), kind, people, 1500, share)
                for seed in range(8)
            )
            wide = [ceiling(*made, made[2], seed=0, splits=8) for made in drawn]
            true_ceiling = np.mean([known[0] for known in wide if known])

            def study(rng: Rng) -> Found:
                values, person, unit = simulated.units(rng, kind, people, images, each)  # noqa: B023
                if np.ptp(values) == 0:
                    return
                yield alpha(values, person, unit, unit, level)  # noqa: B023
                noise = ceiling(values, person, unit, unit, seed=0, splits=40)
                yield noise or (None, 0.0, 0.0)

            of_alpha, of_ceiling = covered(runs, np.array([true_alpha, true_ceiling]), study)
            plan = f"{kind} | {people} x {images} ({each or 'all'})"
            yield f"| {plan} | {true_alpha:.2f} | {of_alpha} | {true_ceiling:.2f} | {of_ceiling} |"


def of_consistency(runs: int) -> Iterator[str]:
    """Yield lines about error consistency with a model, and of people with each other."""
    yield "| people x images (each) | with a model: holds | width | each other: holds | width |"
    yield "|---|--:|--:|--:|--:|"
    drawn = (simulated.decisions(np.random.default_rng(seed), 500, 800) for seed in range(4))
    many = [error_consistency(made) for made in drawn]
    truth = np.array([[each.kappa for each in found] for found in many], dtype=float).mean(0)
    for people, images, each in [*PLANS, CROWD]:

        def study(rng: Rng) -> Found:
            found = error_consistency(simulated.decisions(rng, people, images, each))  # noqa: B023
            yield from ((one.kappa, one.low, one.high) for one in found)

        cells = " | ".join(covered(runs, truth, study))
        yield f"| {people} x {images} ({each or 'all'}) | {cells} |"


def of_utility(runs: int) -> Iterator[str]:
    """Yield lines about utility."""
    yield "| accuracies | people per arm x images (each) | utility | holds | width |"
    yield "|---|---|--:|--:|--:|"
    deviations = np.random.default_rng(0).normal(0, np.hypot(0.7, 0.9), 400_000)

    def accuracy(logit: float) -> float:
        return float((1 / (1 + np.exp(-logit - deviations))).mean())

    for baseline in (0.2, -1.5):
        truth = accuracy(1.0) / accuracy(baseline)
        for people, images, each in [*PLANS, CROWD]:

            def study(rng: Rng) -> Found:
                made = simulated.predictions(rng, people, images, each, baseline=baseline)  # noqa: B023
                (found,) = usefulness(made, "none", ["maps"])
                yield found.utility, found.low, found.high

            (cell,) = covered(runs, np.array([truth]), study)
            both = f"{accuracy(1.0):.2f} / {accuracy(baseline):.2f}"
            yield f"| {both} | {people} x {images} ({each or 'all'}) | {truth:.2f} | {cell} |"


PARTS = {
    "preferences": of_preferences,
    "agreement": of_agreement,
    "consistency": of_consistency,
    "utility": of_utility,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400, help="simulated studies per line")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part only; repeatable")
    chosen = parser.parse_args()
    for name in chosen.only or PARTS:
        print()
        for line in PARTS[name](chosen.runs):
            print(line, flush=True)


if __name__ == "__main__":
    main()

"""How often the mixed model's test is wrong, and how often d' and its interval are, by simulation.

    PYTHONPATH=. .venv/bin/python benchmarks/mixed.py size --runs 500 --seed 1
    PYTHONPATH=. .venv/bin/python benchmarks/mixed.py detection --runs 300 --seed 1

`size`: null studies of 40 people who see 4 of 20 images in each of two conditions. In "balanced"
each image is seen equally often in both conditions (`tests.support.simulated_ratings`); in "shifted
lists" ten lists give images to conditions by their place modulo 10. People and images are drawn
anew for each study: logits with standard deviations 1 (people, images), .3 (people by condition)
and .6 (images by condition). Every rejection is an error; .05 of them are meant. `power`: the same
where the shares are .42 and .30.

`detection`: studies with a known d' and criterion of the typical person and image, by standard
deviations .3 of people's d', .5 of their criteria and .3 of images. Coverage of the 95 % intervals,
their width over 2 x 1.96 standard deviations of the estimates, and the mean error.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from engine.analysis.detection import detections
from engine.analysis.outcomes import Outcome
from engine.statistics import LEVEL
from engine.statistics.mixed import MixedTest, mixed_test
from tests.support import simulated_ratings

CELLS = (
    (40, 20, 1.5, 0.3),
    (40, 20, 0.5, -0.5),
    (20, 8, 1.5, 0.3),
    (100, 8, 1.0, 0.0),
    (12, 40, 1.5, 0.3),
)
"""People, images, d' and c."""
Study = tuple[NDArray[np.bool_], NDArray[np.bool_]]


def balanced(rng: np.random.Generator, shares: tuple[float, float]) -> Study:
    """Return yes and asked, (2, people, images)."""
    return simulated_ratings.answers(rng, shares, 40, 20, each=4)


def shifted(rng: np.random.Generator, shares: tuple[float, float]) -> Study:
    """The same with lists in which image j has the condition of place j + list modulo 10."""
    yes, asked = simulated_ratings.answers(rng, shares, 40, 20)
    place = (np.arange(20) + np.arange(40)[:, None]) % 10
    asked = np.stack([np.isin(place, (0, 3)), np.isin(place, (1, 4))])
    return yes & asked, asked


def compared(study: Study, slopes: bool) -> MixedTest:
    """Compare the two conditions, with or without slopes."""
    condition, person, image = np.nonzero(study[1])
    return mixed_test(
        study[0][condition, person, image],
        condition == 0,
        person,
        image,
        paired_people=slopes,
        paired_images=slopes,
        interval=False,
    )


def decided(shares: tuple[float, float], runs: int, seed: int) -> None:
    """Print how often the test rejects, with and without slopes."""
    print("| lists | true shares | decided | intercepts alone | singular | refused | s each |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for name, draw in (("balanced", balanced), ("shifted lists", shifted)):
        rng = np.random.default_rng(seed)
        studies = [draw(rng, shares) for _ in range(runs)]
        start = time.process_time()
        found = [compared(study, True) for study in studies]
        took = (time.process_time() - start) / runs
        plain = [compared(study, False) for study in studies]
        often, without = (np.mean([t.p < LEVEL for t in each]) for each in (found, plain))
        singular = np.mean([test.singular for test in found])
        refused = sum(bool(test.refused) for test in found)
        print(
            f"| {name} | {shares[0]:.2f}, {shares[1]:.2f} | {often:.3f} | {without:.3f}"
            f" | {singular:.2f} | {refused} | {took:.3f} |",
            flush=True,
        )


def observed(
    rng: np.random.Generator, people: int, images: int, sensitivity: float, criterion: float
) -> pd.DataFrame:
    """Return ratings of people who see every image once, half of them with the signal."""
    person, image = np.divmod(np.arange(people * images), images)
    signal = (person + image) % 2 == 0
    of_images = rng.normal(0, 0.3, (2, images))
    away = rng.normal(sensitivity, 0.3, people)[person] + of_images[0, image]
    means = np.where(signal, 0.5, -0.5) * away + of_images[1, image]
    means -= rng.normal(criterion, 0.5, people)[person]
    return pd.DataFrame(
        {
            "participant_id": person,
            "source_image_id": image,
            "condition": np.where(signal, "signal", "noise"),
            "arm": "all",
            "detected": rng.random(len(person)) < ndtr(means),
            "there": signal,
        }
    )


def detection(runs: int, seed: int) -> None:
    """Print coverage and width of the intervals of d' and criterion."""
    outcome = Outcome("detected", "detection", "", "", "", signal="there")
    print("| people x images | d', c | d': covers | width | error | c: covers | width | error |")
    print("|---|---|--:|--:|--:|--:|--:|--:|")
    for people, images, *truth in CELLS:
        rng = np.random.default_rng(seed)
        found = [detections(observed(rng, people, images, *truth), outcome)[0] for _ in range(runs)]
        known = [f for f in found if f.sensitivity is not None and f.criterion is not None]
        row = f"| {people} x {images} | {truth[0]}, {truth[1]}"
        for true, values in zip(
            truth,
            (
                [(f.sensitivity, f.low, f.high) for f in known],
                [(f.criterion, f.criterion_low, f.criterion_high) for f in known],
            ),
            strict=True,
        ):
            value, low, high = np.array(values).T
            covers = np.mean((low <= true) & (true <= high))
            width = np.mean(high - low) / (2 * 1.96 * value.std(ddof=1))
            row += f" | {covers:.3f} | {width:.2f} | {value.mean() - true:+.3f}"
        print(f"{row} |", f"refused: {runs - len(known)}", flush=True)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["size", "power", "detection"])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.what == "detection":
        detection(given.runs, given.seed)
    else:
        decided((0.3 if given.what == "size" else 0.42, 0.3), given.runs, given.seed)


if __name__ == "__main__":
    main()

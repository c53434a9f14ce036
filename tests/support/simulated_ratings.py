"""Ratings with a known truth: people and images are drawn anew for each table.

The logit of a yes is intercept + person + image + person x condition + image x condition, each
normal; the intercept is chosen such that the share over all people and images is exactly the one
asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(60)


def marginal(intercept: float, deviation: float) -> float:
    """The share of yes over normal logits."""
    logits = intercept + deviation * _NODES
    return float((_WEIGHTS / (1 + np.exp(-logits))).sum() / _WEIGHTS.sum())


@lru_cache(maxsize=1024)
def intercept(share: float, deviation: float) -> float:
    """The mean logit at which the share over all people and images is `share`."""
    from scipy.optimize import brentq

    return float(brentq(lambda mean: marginal(mean, deviation) - share, -40, 40))


def answers(
    rng: np.random.Generator,
    shares: Sequence[float],
    people: int,
    images: int,
    *,
    person: float = 1.0,
    image: float = 1.0,
    person_condition: float = 0.3,
    image_condition: float = 0.6,
    each: int | None = None,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Draw one study: yes (C, P, I), and which cells were asked (C, P, I).

    each: how many images a person sees in each condition, in a Latin design over `images`, no image
        twice for one person; None: every person sees every image in every condition.
    """
    conditions = len(shares)
    spread = float(np.sqrt(person**2 + image**2 + person_condition**2 + image_condition**2))
    logits = (
        np.array([intercept(share, spread) for share in shares])[:, None, None]
        + rng.normal(0, person, people)[None, :, None]
        + rng.normal(0, image, images)[None, None, :]
        + rng.normal(0, person_condition, (conditions, people))[:, :, None]
        + rng.normal(0, image_condition, (conditions, images))[:, None, :]
    )
    yes = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
    asked = np.ones(yes.shape, dtype=bool)
    if each is not None:
        asked[:] = False
        if conditions * each > images:
            raise ValueError(f"{conditions} conditions of {each} need more than {images} images")
        for who in range(people):
            order = (np.arange(images) + who * each) % images
            for condition in range(conditions):
                asked[condition, who, order[condition * each : (condition + 1) * each]] = True
    return yes & asked, asked


def frame(
    shares: Mapping[str, float],
    people: int,
    images: int,
    *,
    seed: int = 0,
    arms: Sequence[str] = ("all",),
    outcome: str = "said_plausible",
    task: str = "target_plausible",
    each: int | None = None,
    person: float = 1.0,
    image: float = 1.0,
    person_condition: float = 0.3,
    image_condition: float = 0.6,
) -> pd.DataFrame:
    """Return ratings as the export has them, with one outcome, for the tests of what follows.

    People take turns in `arms`; the truth is the same in all of them.
    """
    rng = np.random.default_rng(seed)
    deviations = {
        "person": person,
        "image": image,
        "person_condition": person_condition,
        "image_condition": image_condition,
    }
    yes, asked = answers(rng, list(shares.values()), people, images, each=each, **deviations)
    condition, who, what = np.nonzero(asked)
    order = rng.permutation(len(who))
    condition, who, what = condition[order], who[order], what[order]
    table = pd.DataFrame(
        {
            "participant_id": [f"p{n:03d}" for n in who],
            "arm": [arms[n % len(arms)] for n in who],
            "list_index": pd.array(who % 4, dtype="Int64"),
            "condition": [list(shares)[n] for n in condition],
            "source_image_id": [f"image {n:03d}" for n in what],
            "stimulus_id": [
                f"{list(shares)[c]} {n:03d}" for c, n in zip(condition, what, strict=True)
            ],
            "study_version": pd.array(np.ones(len(who), dtype=int), dtype="Int64"),
            "stage": "main",
            "trial_type": "main",
            "task": task,
            "response": ["yes" if y else "no" for y in yes[condition, who, what]],
            "timed_out": pd.array([None] * len(who), dtype="boolean"),
            "rt_ms": np.exp(rng.normal(6.8, 0.4, len(who))),
            "excluded": pd.array(np.zeros(len(who), dtype=bool), dtype="boolean"),
            "exclusion_rule": pd.array([None] * len(who), dtype="string"),
            outcome: pd.array(yes[condition, who, what], dtype="boolean"),
        }
    )
    table["trial_index"] = table.groupby("participant_id").cumcount()
    table["presentation_index"] = table["trial_index"]
    table["presentation_id"] = table["participant_id"] + " " + table["trial_index"].astype(str)
    return table.sort_values(["participant_id", "trial_index"], ignore_index=True)

"""Judgements with a known truth: preferences, ratings of units, decisions and predictions.

People and images are drawn anew for each table; all deviations are normal, of log-odds where
answers are yes or no. `each`: how many images a person sees, drawn anew for each; None: all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.analysis.outcomes import ORDER, TIE, Kind, Outcome

Strengths = Sequence[float]


def outcome(kind: Kind) -> Outcome:
    """An outcome of this kind: the column is `judged`."""
    return Outcome("judged", kind, "what was judged", "judged", "task")


def preferences(
    rng: np.random.Generator,
    theta: Strengths,
    people: int,
    each: int,
    *,
    images: int = 20,
    shown: int = 2,
    side: float = 0.3,
    tie: float | None = None,
    ranked: bool = False,
    person: float = 0.7,
    image: float = 0.5,
) -> pd.DataFrame:
    """Choices of the best of some items `i0`, `i1` …, or rankings of them, best first."""
    count = len(theta)
    of_image = rng.normal(0, image, (images, count))
    rows = []
    for who in range(people):
        own = np.asarray(theta) + rng.normal(0, person, count)
        for what in (rng.permutation(images)[n % images] for n in range(each)):
            items = rng.permutation(count)[:shown]
            weight = (own + of_image[what])[items]
            if ranked:
                order = items[np.argsort(-weight - rng.gumbel(size=shown))]
                answer = ORDER.join(f"i{item}" for item in order)
            else:
                mean = weight.mean()
                weight = weight - side / shown
                weight[0] += side
                if tie is not None:
                    weight = np.append(weight, mean + tie)
                best = int(np.argmax(weight + rng.gumbel(size=len(weight))))
                answer = TIE if best == shown else f"i{items[best]}"
            rows.append((who, what, json.dumps([f"i{item}" for item in items]), answer))
    return table(rows, ["participant_id", "source_image_id", "items_json", "judged"])


def table(rows: Sequence[tuple[object, ...]], columns: Sequence[str]) -> pd.DataFrame:
    """Rows of ratings, all in one arm and condition."""
    found = pd.DataFrame(rows, columns=list(columns)).assign(arm="all", condition="clean")
    if "source_image_id" in found and "stimulus_id" not in found:
        found["stimulus_id"] = found["source_image_id"]
    return found


def units(
    rng: np.random.Generator, kind: str, people: int, images: int, each: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Values, person and image of ratings, of images that two people rated at least.

    kind: binary, rare (5 % of yes), ordinal (1 to 7) or continuous. People and images differ by 1.
    """
    whole = rng.normal(0, 1, people)[:, None] + rng.normal(0, 1, images)
    if kind in ("binary", "rare"):
        shift = 0.5 if kind == "binary" else -3.8
        values = (rng.random(whole.shape) < 1 / (1 + np.exp(-whole - shift))).astype(float)
    elif kind == "ordinal":
        values = np.clip(np.round(4 + whole + rng.normal(0, 1, whole.shape)), 1, 7)
    else:
        values = whole + rng.normal(0, 1.5, whole.shape)
    asked = _asked(rng, people, images, each)
    asked[:, asked.sum(0) < 2] = False
    person, image = np.nonzero(asked)
    codes = (np.unique(of, return_inverse=True)[1].astype(np.int64) for of in (person, image))
    return (values[person, image], *codes)  # type: ignore[return-value]


def decisions(
    rng: np.random.Generator, people: int, images: int, each: int | None = None
) -> pd.DataFrame:
    """People's and a model's answers in an easy and a hard condition; they share the images."""
    of_person, of_image = rng.normal(0, 0.6, people), rng.normal(0, 1.2, images)
    of_model = rng.logistic(0, 1, (2, images))
    person, image = np.nonzero(_asked(rng, people, images, each))
    hard = rng.integers(0, 2, len(person))
    logit = 1.5 + of_person[person] + of_image[image] - hard
    model = 0.9 + of_image[image] - 1.5 * hard + of_model[hard, image] > 0
    return pd.DataFrame(
        {
            "participant_id": person,
            "arm": "all",
            "condition": np.array(["easy", "hard"])[hard],
            "source_image_id": image,
            "stimulus_id": hard * images + image,
            "stimulus_kind": "clean",
            "chose_true": rng.random(len(person)) < 1 / (1 + np.exp(-logit)),
            "model_id": "net",
            "model_pred": np.where(model, 1, 2),
            "true_label": 1,
            "selected_by_answer": False,
        }
    ).astype({"chose_true": "boolean", "selected_by_answer": "boolean"})


def predictions(
    rng: np.random.Generator,
    people: int,
    images: int,
    each: int | None = None,
    *,
    baseline: float = 0.2,
    arm: float = 1.0,
) -> pd.DataFrame:
    """Predictions of a model by two arms of so many people each: `none`, and `maps`.

    baseline, arm: mean log-odds of being right; people differ by .7, images by .9.
    """
    of_image = rng.normal(0, 0.9, images)
    person, image = np.nonzero(_asked(rng, 2 * people, images, each))
    with_maps = person % 2 == 1
    logit = np.where(with_maps, arm, baseline) + rng.normal(0, 0.7, 2 * people)[person]
    right = rng.random(len(person)) < 1 / (1 + np.exp(-logit - of_image[image]))
    return pd.DataFrame(
        {
            "participant_id": person.astype(str),
            "arm": np.where(with_maps, "maps", "none"),
            "source_image_id": image.astype(str),
            "correct": pd.array(right, dtype="boolean"),
        }
    )


def _asked(
    rng: np.random.Generator, people: int, images: int, each: int | None
) -> NDArray[np.bool_]:
    """Return which person (P, I) saw which image."""
    if each is None:
        return np.ones((people, images), dtype=bool)
    return rng.permuted(np.tile(np.arange(images) < each, (people, 1)), axis=1)

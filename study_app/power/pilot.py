"""Variance components from a pilot's ratings, with how far they are to be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine import seeds
from engine.errors import UsageError
from engine.statistics.logit_normal import logistic, mean_of
from engine.statistics.mixed import mixed_test
from study_app.power.compared import Compared
from study_app.power.components import NAMES, Components, Deviations, Range

Codes: TypeAlias = NDArray[np.intp]
FEWEST = 6
"""Of fewer people or images in a pilot nothing is concluded about others."""
REFITS = 24
"""So many pilots are made from what was found, to see how much such numbers vary."""
MIDDLE = (0.1, 0.9)
"""Between which of them, as shares, a range lies."""
_LEAST = 0.15  # a deviation that a small pilot does not show may well be that large
_MOST = 3.0


def of_pilot(
    ratings: pd.DataFrame, one: Compared, name: str, seed: int
) -> tuple[Components, dict[str, float]]:
    """Return components and shares of yes by condition, from what a pilot's people answered.

    A mixed logistic model is fitted to the two sides of the comparison. The same model is then
    fitted to answers that are made up from what it found, for the same people and images: a range
    holds the middle 80 % of these.

    Args:
        ratings: the export's ratings with the outcome's column.
        one: the comparison: its outcome and its conditions are looked at.
        name: the pilot's.
        seed: of what is made up.

    Raises:
        UsageError: the pilot has no such answers, too few people or images, or answers that are
            all alike.
    """
    table = _counted(ratings, one, name)
    yes = table[one.of.outcome].to_numpy(dtype=float)
    first = table["condition"].isin(one.of.conditions).to_numpy()
    person, image = (
        pd.factorize(table[column])[0] for column in ("participant_id", "source_image_id")
    )
    few = min(len(set(person)), len(set(image)))
    if few < FEWEST or first.all() or not first.any():
        raise UsageError(
            f"--pilot {name}: {len(set(person))} people answered about {len(set(image))} images in "
            f"what is compared ({one.label}); it takes both sides, and {FEWEST} people and images "
            "at least. Give --person, --image, --person-condition, --image-condition instead"
        )
    found = _Model(person, image, first)
    deviations = found.fitted(yes)
    if deviations is None:
        raise UsageError(
            f"--pilot {name}: nearly all answers of {one.of.outcome} are alike, so that nothing "
            "can be said of how people differ; declare the components instead"
        )
    rng = np.random.default_rng(seeds.derive(seed, "pilot"))
    sides = [float(yes[side].mean()) for side in (~first, first)]
    made_up = (found.fitted(found.answers(sides, deviations, rng)) for _ in range(REFITS))
    again = [each for each in made_up if each is not None]
    ranges = {each: _range(each, deviations, again) for each in NAMES}
    source = f"pilot {name}, {len(set(person))} people"
    return Components(**ranges, source=source), _shares(ratings, one)


class _Model:
    """Who rates which image on which side of a comparison, and what is fitted to their answers."""

    def __init__(self, person: Codes, image: Codes, first: NDArray[np.bool_]) -> None:
        self._person, self._image, self._first = person, image, first
        self._paired_people, self._paired_images = (
            bool(np.intersect1d(each[first], each[~first]).size) for each in (person, image)
        )

    def fitted(self, yes: NDArray[Any]) -> Deviations | None:
        """Return the deviations; None where there is no optimum."""
        found = mixed_test(
            yes,
            self._first,
            self._person,
            self._image,
            paired_people=self._paired_people,
            paired_images=self._paired_images,
            interval=False,
        )
        if found.refused:
            return None
        # Who is on one side alone shows no difference between the sides.
        person, image, of_person, of_image = (
            min(_MOST, found.deviations.get(name, 0.0))
            for name in ("person", "image", "person x condition", "image x condition")
        )
        # A slope is the difference of two conditions' deviations, an intercept holds their mean.
        return Deviations(
            float(max(0.0, person**2 - of_person**2 / 4) ** 0.5),
            float(max(0.0, image**2 - of_image**2 / 4) ** 0.5),
            of_person / 2**0.5,
            of_image / 2**0.5,
        )

    def answers(
        self, sides: Sequence[float], like: Deviations, rng: np.random.Generator
    ) -> NDArray[np.bool_]:
        """Return answers of new people to new images, in the places of these."""
        like = Deviations(*(max(each, _LEAST) for each in astuple(like)))
        side = self._first.astype(int)
        logits = np.array([mean_of(min(max(s, 0.01), 0.99), like.whole) for s in sides])[side]
        for index, alone, within in (
            (self._person, like.person, like.person_condition),
            (self._image, like.image, like.image_condition),
        ):
            count = int(index.max()) + 1
            logits = logits + rng.normal(0, alone, count)[index]
            logits = logits + rng.normal(0, within, (2, count))[side, index]
        yes: NDArray[np.bool_] = rng.random(len(logits)) < logistic(logits)
        return yes


def _range(name: str, found: Deviations, again: Sequence[Deviations]) -> Range:
    value = float(getattr(found, name))
    low, high = np.quantile([getattr(each, name) for each in (*again, found)], MIDDLE)
    return Range(value, min(value, float(low)), max(value, float(high)))


def _shares(ratings: pd.DataFrame, one: Compared) -> dict[str, float]:
    """Return people's mean shares by condition; under "" that of what is compared with."""
    table = ratings[_answered(ratings, one.of.outcome)]
    yes = table[one.of.outcome].astype(float).rename("yes")
    by_person = yes.groupby([table["condition"], table["participant_id"]]).mean()
    shares = {str(each): float(mean) for each, mean in by_person.groupby(level=0).mean().items()}
    of_others = [shares[each] for group in one.to for each in group.conditions if each in shares]
    return {"": float(np.mean(of_others)), **shares}


def _answered(ratings: pd.DataFrame, outcome: str) -> pd.Series[bool]:
    """Return which ratings give an outcome and count."""
    return (
        (ratings["trial_type"] == "main")
        & ~ratings["excluded"].fillna(False).astype(bool)
        & ratings[outcome].notna()
    )


def _counted(ratings: pd.DataFrame, one: Compared, name: str) -> pd.DataFrame:
    """Return the ratings of a comparison that count."""
    outcome = one.of.outcome
    if outcome not in ratings:
        raise UsageError(f"--pilot {name}: its answers give no {outcome}")
    conditions = {label for group in (one.of, *one.to) for label in group.conditions}
    here = _answered(ratings, outcome) & ratings["condition"].isin(conditions)
    if one.between == "arms":
        here &= ratings["arm"].isin([group.arm for group in (one.of, *one.to)])
    return ratings[here]

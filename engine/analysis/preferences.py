"""Preferences: strengths of items from choices of the better one and from rankings.

Every answer is one or more choices, and each is a line of one multinomial logit: of the items i
offered, at the places k,

    weight of i = exp(strength_i + side (1[k = first] - 1 / n)),
    weight of a tie = exp(tie + mean strength),

which is Bradley and Terry's model (1952, "Rank analysis of incomplete block designs", Biometrika
39) with ties as Davidson has them (1970, "On extending the Bradley-Terry model to accommodate ties
in paired comparison experiments", Journal of the American Statistical Association 65) and a side
bias. A ranking of n items is n - 1 choices of the best of what is left (Plackett 1975, "The
analysis of permutations", Applied Statistics 24), without side and tie.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.analysis.outcomes import ORDER, TIE, Outcome
from engine.statistics.choices import Choices, Floats, halves, identified, maximum

FEW = 6
"""Below so many people or images, their number limits what is said."""


@dataclass(frozen=True)
class Strength:
    """How strong an item is beside the average one, in log-odds of being chosen.

    Attributes:
        item: its key.
        value, low, high: with its 95 % interval, people and images as clusters.
        chosen, offered: how often; a tie counts as one choice, shared by the items. Of a ranking:
            how often it was first.
    """

    item: str
    value: float
    low: float
    high: float
    chosen: float
    offered: int


@dataclass(frozen=True)
class Strengths:
    """What preferences or rankings say.

    Attributes:
        outcome, arm: which.
        items: by strength, strongest first; none where strengths cannot be told, as `note` says.
        pairs: how often the first of (item, item) was chosen over the second; ties count half.
        tie: how often no preference was given, as a share; None where nobody gave a tie.
        side: log-odds by which the first place is favoured, with its interval; None of rankings,
            and where each item always stood at the same place.
        people: who gave them.
        note: why there is none, or what limits it; "".
    """

    outcome: str
    arm: str
    items: Sequence[Strength]
    pairs: Mapping[tuple[str, str], float]
    tie: float | None
    side: tuple[float, float, float] | None
    people: int
    note: str = ""


def strengths(ratings: pd.DataFrame, outcome: Outcome) -> list[Strengths]:
    """Return the strengths of items by arm.

    They are of maximum likelihood and centred on 0. The interval is of the centred strength, and of
    other people and other images: the sandwich variance (White 1982, "Maximum likelihood estimation
    of misspecified models", Econometrica 50) with people and images as clusters (`two_way_error`),
    Student's t. Of one image it is of other people only.

    Where the likelihood has no maximum, such as where an item was always preferred (Ford 1957),
    each strength gets a weak prior, log-F(1, 1): half a win and half a loss against an average item
    (Greenland and Mansournia 2015, "Penalization, bias reduction, and default priors in logistic
    and related categorical and survival regressions", Statistics in Medicine 34). The note says so.

    Args:
        ratings: `estimates.counted` rows with the outcome's column and `items_json`: the keys of
            the items in the order shown. Rows without either are left out.
        outcome: a preference or a ranking.

    Raises:
        ValueError: an answer names an item that was not shown.
    """
    answered = ratings.dropna(subset=[outcome.name, "items_json"])
    return [_of_arm(str(arm), part, outcome) for arm, part in answered.groupby("arm", dropna=False)]


@dataclass(frozen=True)
class _Answer:
    """One answer: the items in the order shown, and the chosen ones, best first; none of a tie."""

    person: str
    image: str
    shown: tuple[str, ...]
    best: tuple[str, ...]


def _of_arm(arm: str, part: pd.DataFrame, outcome: Outcome) -> Strengths:
    answers = list(_answers(part, outcome))
    told = [each for each in answers if len(set(each.shown)) == len(each.shown) > 1]
    items = sorted({item for each in told for item in each.shown})
    people = len({each.person for each in told})
    notes = []
    if len(told) < len(answers):
        left = len(answers) - len(told)
        notes.append(f"{left} of {len(answers)} answers were about items that are the same.")
    ties = sum(not each.best for each in told)
    counts = (_pairs(told), ties / len(told) if ties else None)
    said = _refusal(told, items, ties)
    if said:
        return Strengths(outcome.name, arm, (), *counts, None, people, " ".join([*notes, said]))
    fitted, limits = _fit(told, items, ranked=outcome.kind == "ranking", ties=ties > 0)
    chosen, offered = _frequencies(told)
    found = [
        Strength(item, *each, chosen.get(item, 0.0), offered[item])
        for item, each in zip(items, fitted.strengths, strict=True)
    ]
    found.sort(key=lambda each: -each.value)
    note = " ".join([*notes, *limits, *_limits(told)])
    return Strengths(outcome.name, arm, found, *counts, fitted.side, people, note)


def _answers(part: pd.DataFrame, outcome: Outcome) -> Iterator[_Answer]:
    columns = ("participant_id", "source_image_id", "items_json", outcome.name)
    for person, image, shown_json, given in zip(*(part[name] for name in columns), strict=True):
        shown = tuple(str(item) for item in json.loads(shown_json))
        best = tuple(given.split(ORDER)) if outcome.kind == "ranking" else (given,)
        if given == TIE and TIE not in shown:
            best = ()
        unknown = set(best) - set(shown)
        if unknown or (outcome.kind == "ranking" and len(best) != len(shown)):
            raise ValueError(
                f"{outcome.name}: {given!r} is no answer about the items {list(shown)}; "
                "items_json must hold the keys that the answer speaks of"
            )
        yield _Answer(str(person), str(image), shown, best)


def _pairs(answers: Sequence[_Answer]) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}

    def add(winner: str, loser: str, count: float) -> None:
        found[winner, loser] = found.get((winner, loser), 0.0) + count
        found.setdefault((loser, winner), 0.0)

    for each in answers:
        left = list(each.shown)
        for winner in each.best:
            left.remove(winner)
            for loser in left:
                add(winner, loser, 1.0)
        if not each.best:
            for winner in each.shown:
                for loser in each.shown:
                    if winner != loser:
                        add(winner, loser, 0.5)
    return dict(sorted(found.items()))


def _frequencies(answers: Sequence[_Answer]) -> tuple[dict[str, float], dict[str, int]]:
    """Return how often each item was chosen, ties shared, and how often it was offered."""
    chosen: dict[str, float] = {}
    offered: dict[str, int] = {}
    for each in answers:
        for item in each.shown:
            offered[item] = offered.get(item, 0) + 1
        first = each.best[:1] or each.shown
        for item in first:
            chosen[item] = chosen.get(item, 0.0) + 1 / len(first)
    return chosen, offered


def _refusal(answers: Sequence[_Answer], items: Sequence[str], ties: int) -> str:
    """Say why there are no strengths; "" where there are."""
    if not answers:
        return "Nobody was asked about two items that differ."
    if ties == len(answers):
        return "Nobody preferred any item: all answers are ties."
    groups = _groups(answers, items)
    if len(groups) > 1:
        listed = "; ".join(", ".join(group) for group in groups)
        return (
            f"The items fall into {len(groups)} groups that were never compared with each other "
            f"({listed}): their strengths are on no common scale."
        )
    return ""


def _groups(answers: Sequence[_Answer], items: Sequence[str]) -> list[list[str]]:
    """Return the items that comparisons connect, each group sorted."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    at = {item: number for number, item in enumerate(items)}
    edges = {(at[each.shown[0]], at[item]) for each in answers for item in each.shown[1:]}
    rows, columns = np.array(sorted(edges)).T
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(items), len(items)))
    count, label = connected_components(graph, directed=False)
    return [
        [item for item, own in zip(items, label, strict=True) if own == n] for n in range(count)
    ]


def _limits(answers: Sequence[_Answer]) -> list[str]:
    people, images = (
        len(set(keys))
        for keys in ([each.person for each in answers], [each.image for each in answers])
    )
    if people == 1:
        return ["One person: says nothing of others."]
    if images == 1:
        return ["One image: the intervals are of other people, and of this image."]
    named = ((people, "people"), (images, "images"))
    few = [f"{count} {name}" for count, name in named if count < FEW]
    return [f"Only {' and '.join(few)}."] if few else []


@dataclass(frozen=True)
class _Fitted:
    """Value, low and high of each item's strength, and of the side."""

    strengths: Sequence[tuple[float, float, float]]
    side: tuple[float, float, float] | None


def _fit(
    answers: Sequence[_Answer], items: Sequence[str], *, ranked: bool, ties: bool
) -> tuple[_Fitted, list[str]]:
    """Return the strengths with their intervals, and what limits them, in sentences."""
    limits = []
    sided = not ranked
    choices = _choices(answers, items, sided=sided, ties=ties)
    if sided and not identified(choices):
        sided = False
        limits.append("Each item always stood at the same place: a side bias would look like it.")
        choices = _choices(answers, items, sided=sided, ties=ties)
    values, diverged = maximum(choices, prior=False)
    if diverged:
        values, _ = maximum(choices, prior=True)
        limits.append(
            "Some item was always, or never, preferred to all others that it was compared with, "
            "or the first place was: a weak prior of half a win and half a loss keeps the values "
            "finite, and decides how large they are."
        )
    people, images = (
        np.unique(keys, return_inverse=True)[1].astype(np.int64)
        for keys in ([each.person for each in answers], [each.image for each in answers])
    )
    half = halves(choices, values, people, images, prior=diverged)
    meant = choices.meaning @ values
    triples = [
        (float(value), float(value - width), float(value + width))
        for value, width in zip(meant, half, strict=True)
    ]
    return _Fitted(triples[: len(items)], triples[len(items)] if sided else None), limits


def _choices(
    answers: Sequence[_Answer], items: Sequence[str], *, sided: bool, ties: bool
) -> Choices:
    at = {item: number for number, item in enumerate(items)}
    centred = _centred(len(items))
    size = centred.shape[1] + sided + ties
    lines = [
        (number, each, rank)
        for number, each in enumerate(answers)
        for rank in range(max(len(each.best), 1))
        if len(each.shown) - rank > 1  # the last of a full ranking is no choice
    ]
    most = max(len(each.shown) for each in answers) + ties
    design = np.zeros((len(lines), most, size))
    offered = np.zeros((len(lines), most), dtype=bool)
    chosen = np.zeros(len(lines), dtype=np.int64)
    for line, (_, each, rank) in enumerate(lines):
        left = [item for item in each.shown if item not in each.best[:rank]]
        count = len(left)
        strength = centred[[at[item] for item in left]]
        offered[line, :count] = True
        design[line, :count, : centred.shape[1]] = strength
        if sided:
            design[line, :count, centred.shape[1]] = -1 / count
            design[line, 0, centred.shape[1]] += 1
        if ties:
            offered[line, -1] = True
            design[line, -1, : centred.shape[1]] = strength.mean(0)
            design[line, -1, -1] = 1.0
        chosen[line] = left.index(each.best[rank]) if each.best else most - 1
    meaning = np.zeros((len(items) + sided + ties, size))
    meaning[: len(items), : centred.shape[1]] = centred
    meaning[len(items) :, centred.shape[1] :] = np.eye(sided + ties)
    answer = np.array([number for number, _, _ in lines], dtype=np.int64)
    return Choices(design, offered, chosen, answer, meaning)


def _centred(count: int) -> Floats:
    """Return an orthonormal basis (K, K - 1) of the strengths that sum to 0."""
    lower = np.eye(count) - 1 / count
    basis: Floats = np.linalg.svd(lower)[0][:, : count - 1]
    return basis

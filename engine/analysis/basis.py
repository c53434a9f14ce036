"""What the human table rests on, what of the data it leaves aside, and why, in sentences.

That something is not computed yet is never said as if there were no data: every rating of the main
trials is counted in one place here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from engine.analysis.human_table import TIMED_OUT

ESTIMATED = ("label_nafc", "target_plausible")
"""The question types that the human table is made of: both, of one presentation."""


@dataclass(frozen=True)
class Basis:
    """The ratings of one stage of a study, each counted once in what follows `main`.

    Attributes:
        stage: which.
        people: who have consented.
        ratings: all, practice and catch trials included.
        main: those of main trials.
        excluded: of these, left out by pre-registered rules.
        timed_out: of the rest, not answered in time.
        estimated: of the rest, in the human table.
        partnerless: of the rest, of a type of the human table whose other question of the same
            presentation has no answer that counts.
        no_estimate: of the rest, by question type: types that have no analysis yet.
        catch_unscored: ratings of catch trials by question type, where no score is made of them.
    """

    stage: str
    people: int
    ratings: int
    main: int
    excluded: int
    timed_out: int
    estimated: int
    partnerless: int
    no_estimate: Mapping[str, int]
    catch_unscored: Mapping[str, int]


def basis(ratings: pd.DataFrame, *, stage: str, people: int, with_excluded: bool = False) -> Basis:
    """Count what the human table over `ratings` rests on.

    Args:
        ratings: the export's per-trial table of one stage.
        stage: which stage that is.
        people: how many have consented in it.
        with_excluded: whether answers count that a pre-registered rule excludes.
    """
    main = ratings[ratings["trial_type"] == "main"]
    kept = main if with_excluded else main[~main["excluded"]]
    answered = kept[kept["response"] != TIMED_OUT]
    pairs = answered[answered["task"].isin(ESTIMATED)]
    both = pairs.groupby("presentation_id")["task"].transform("nunique") == len(ESTIMATED)
    catch = ratings[(ratings["trial_type"] == "catch") & ratings["correct_option"].notna()]
    return Basis(
        stage=stage,
        people=people,
        ratings=len(ratings),
        main=len(main),
        excluded=len(main) - len(kept),
        timed_out=len(kept) - len(answered),
        estimated=int(both.sum()),
        partnerless=len(pairs) - int(both.sum()),
        no_estimate=_others(answered),
        catch_unscored=_others(catch),
    )


def sentences(found: Basis) -> list[str]:
    """Return what must be said beside the human table, or in its place where it is empty."""
    if not found.ratings:
        return [_nobody(found)]
    if not found.main:
        return [
            f"{_ratings(found.ratings)} so far, all in practice or catch trials: there is nothing "
            "to estimate from yet."
        ]
    said = []
    if found.no_estimate:
        types = _listed(found.no_estimate)
        said.append(f"No estimate for these question types yet: {types}. The export has them.")
    if not found.estimated:
        said += _left_aside(found)
    if found.partnerless:
        said.append(
            f"Not in the table: {_ratings(found.partnerless)} whose other question about the same "
            f"picture ({' or '.join(ESTIMATED)}) has no answer that counts."
        )
    if found.catch_unscored:
        types = _listed(found.catch_unscored)
        said.append(f"Catch trials of these question types are not scored here yet: {types}.")
    return said


def other_stages(stage: str, ratings_by_stage: Mapping[str, int]) -> dict[str, str]:
    """Return for each other stage that holds ratings the words for how many.

    Args:
        stage: the one that is shown.
        ratings_by_stage: of all.
    """
    more = " more" if ratings_by_stage.get(stage) else ""
    return {
        other: f"The stage {other} holds {count}{more} rating{'s' * (count != 1)}"
        for other, count in ratings_by_stage.items()
        if count and other != stage
    }


def _nobody(found: Basis) -> str:
    if not found.people:
        return f"Nobody has taken part in the stage {found.stage} yet."
    begun = "1 person has" if found.people == 1 else f"{found.people} people have"
    return f"{begun} begun in the stage {found.stage}, and nobody has answered anything yet."


def _left_aside(found: Basis) -> list[str]:
    """Why there is nothing to estimate from, for what no other sentence explains."""
    if found.excluded == found.main:
        return ["All answers so far are left out by the study's exclusion rules."]
    if found.timed_out == found.main:
        return ["None of the answers so far came in time."]
    said = []
    if found.excluded:
        said.append(f"Left out by exclusion rules: {found.excluded} of {_ratings(found.main)}.")
    if found.timed_out:
        said.append(f"Not answered in time: {found.timed_out} of {_ratings(found.main)}.")
    return said


def _others(ratings: pd.DataFrame) -> dict[str, int]:
    """Ratings by question type, of those that the human table is not made of."""
    counts = ratings[~ratings["task"].isin(ESTIMATED)]["task"].value_counts()
    return {str(task): int(n) for task, n in sorted(counts.items())}


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{task} ({_ratings(n)})" for task, n in counts.items())


def _ratings(count: int) -> str:
    return f"{count} rating{'s' * (count != 1)}"

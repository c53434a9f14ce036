"""What an analysis rests on: every rating is counted once, and what is left aside says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Basis:
    """The ratings of one stage of a study, each counted once.

    `ratings` is practice + catch + main, and `main` is excluded + timed_out + all of `counted`.

    Attributes:
        stage: which.
        people: who have consented.
        ratings: all.
        practice, catch, main: those of practice, catch and main trials.
        excluded: of main ones, left out by the study's rules.
        timed_out: of the rest, not answered in time: missing in every estimate.
        counted: of the rest, by question type: what estimates are made of.
    """

    stage: str
    people: int
    ratings: int
    practice: int
    catch: int
    main: int
    excluded: int
    timed_out: int
    counted: Mapping[str, int]


def basis(ratings: pd.DataFrame, *, stage: str, people: int, with_excluded: bool = False) -> Basis:
    """Count what estimates over `ratings` rest on.

    Args:
        ratings: the export's per-trial table of one stage.
        stage: which stage that is.
        people: how many have consented in it.
        with_excluded: whether answers count that a rule of the study excludes.
    """
    kinds = ratings["trial_type"].value_counts()
    main = ratings[ratings["trial_type"] == "main"]
    kept = main if with_excluded else main[~main["excluded"].astype(bool)]
    late = kept["timed_out"].fillna(False).astype(bool)
    counts = kept.loc[~late, "task"].value_counts()
    return Basis(
        stage=stage,
        people=people,
        ratings=len(ratings),
        practice=int(kinds.get("practice", 0)),
        catch=int(kinds.get("catch", 0)),
        main=len(main),
        excluded=len(main) - len(kept),
        timed_out=int(late.sum()),
        counted={str(task): int(n) for task, n in sorted(counts.items())},
    )


def sentences(found: Basis) -> list[str]:
    """Return what must be said beside the estimates, or in their place where there is none."""
    if not found.ratings:
        return [_nobody(found)]
    if not found.main:
        return [
            f"{_ratings(found.ratings)} so far, all in practice or catch trials: there is nothing "
            "to estimate from yet."
        ]
    if found.excluded == found.main:
        return ["All answers so far are left out by the study's exclusion rules."]
    if found.timed_out == found.main:
        return ["None of the answers so far came in time."]
    said = []
    if found.excluded and not found.counted:
        said.append(f"Left out by exclusion rules: {found.excluded} of {_ratings(found.main)}.")
    if found.timed_out:
        said.append(
            f"Not answered in time, and missing in all estimates: {found.timed_out} of "
            f"{_ratings(found.main)}."
        )
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


def _ratings(count: int) -> str:
    return f"{count} rating{'s' * (count != 1)}"

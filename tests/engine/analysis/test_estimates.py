"""What each condition and arm gives of an outcome: nothing is pooled, lost or counted twice."""

import numpy as np
import pandas as pd
import pytest

from engine.analysis.estimates import (
    ALL,
    OTHER,
    by_image,
    by_person,
    counted,
    estimates,
    sensitivity,
)
from engine.analysis.outcomes import Outcome
from engine.statistics.clustered import share
from tests.support.simulated_ratings import frame

TASK = "target_plausible"
PLAUSIBLE = Outcome("said_plausible", "binary", "said yes", "called plausible", TASK)
RATING = Outcome("rating", "ordinal", "how sure", "confidence", TASK, low=1, high=5)
CHOSEN = Outcome("chosen", "choice", "class", "class chosen", TASK)
MARK = Outcome("mark", "points", "place", "place marked", TASK)


@pytest.fixture
def ratings():
    """Two conditions in two arms, and rows of a different question on the same pictures."""
    table = frame({"none": 0.3, "penalty": 0.6}, 24, 16, each=4, arms=("plain", "mapped"), seed=2)
    rng = np.random.default_rng(1)
    table["rating"] = pd.array(rng.integers(1, 6, len(table)), dtype="Int64")
    table["chosen"] = pd.array(rng.integers(0, 3, len(table)).astype(str), dtype="string")
    table["mark"] = pd.array(["10,20"] * len(table), dtype="string")
    other = table.assign(task="confidence", said_plausible=pd.NA, rating=pd.NA)
    other["said_plausible"] = other["said_plausible"].astype("boolean")
    other["rating"] = other["rating"].astype("Int64")
    return pd.concat([table, other], ignore_index=True)


def test_each_condition_of_each_arm_is_estimated_by_itself(ratings):
    found = estimates(ratings, PLAUSIBLE)
    assert [(each.condition, each.arm) for each in found] == [
        ("none", "mapped"),
        ("none", "plain"),
        ("penalty", "mapped"),
        ("penalty", "plain"),
    ]
    for each in found:
        rows = ratings[
            (ratings["condition"] == each.condition)
            & (ratings["arm"] == each.arm)
            & (ratings["task"] == TASK)
        ]
        people = rows.groupby("participant_id")["said_plausible"].mean()
        assert each.estimate.value == pytest.approx(people.mean())
        assert each.by_ratings.value == pytest.approx(rows["said_plausible"].mean())
        assert each.answered == each.estimate.ratings == len(rows) == 48
        assert each.counts == {
            "yes": rows["said_plausible"].sum(),
            "no": (~rows["said_plausible"]).sum(),
        }
        assert (each.missing, each.undefined, each.quartiles) == (0, 0, None)


def test_arms_or_conditions_are_counted_together_only_where_asked_to(ratings):
    conditions, arms = (estimates(ratings, PLAUSIBLE, by=by) for by in ("condition", "arm"))
    assert [(each.condition, each.arm) for each in conditions] == [("none", ALL), ("penalty", ALL)]
    assert [(each.condition, each.arm) for each in arms] == [(ALL, "mapped"), (ALL, "plain")]
    assert {each.answered for each in conditions} == {96}
    rows = ratings[(ratings["condition"] == "none") & (ratings["task"] == TASK)]
    assert conditions[0].estimate == share(
        rows["said_plausible"].to_numpy(dtype=bool),
        rows["participant_id"].to_numpy(dtype=str),
        rows["source_image_id"].to_numpy(dtype=str),
    )
    with pytest.raises(ValueError, match="not 'version'"):
        estimates(ratings, PLAUSIBLE, by="version")


def test_an_answer_that_came_too_late_is_missing_and_one_that_means_nothing_is_undefined(ratings):
    rows = ratings.index[(ratings["condition"] == "none") & (ratings["arm"] == "plain")]
    rows = [row for row in rows if ratings["task"][row] == TASK]
    ratings.loc[rows[:3], "timed_out"] = True
    ratings.loc[rows[:5], "said_plausible"] = pd.NA
    found = next(
        each
        for each in estimates(ratings, PLAUSIBLE)
        if (each.condition, each.arm) == ("none", "plain")
    )
    assert (found.answered, found.missing, found.undefined) == (43, 3, 2)
    assert found.estimate.ratings == sum(found.counts.values()) == 43
    ratings.loc[rows, "said_plausible"] = pd.NA
    none = next(
        each
        for each in estimates(ratings, PLAUSIBLE)
        if (each.condition, each.arm) == ("none", "plain")
    )
    assert none.estimate.value is None
    assert none.estimate.refused == "no ratings"
    assert (none.answered, none.missing, none.undefined) == (0, 3, 45)


def test_a_scale_has_its_mean_quartiles_and_values_in_order(ratings):
    found = estimates(ratings, RATING)[0]
    rows = ratings[
        (ratings["condition"] == "none") & (ratings["arm"] == "mapped") & (ratings["task"] == TASK)
    ]
    assert found.estimate.value == pytest.approx(
        rows.groupby("participant_id")["rating"].mean().mean()
    )
    assert found.estimate.low < found.estimate.value < found.estimate.high
    assert found.quartiles == tuple(np.quantile(rows["rating"].to_numpy(float), [0.25, 0.5, 0.75]))
    assert list(found.counts) == ["1", "2", "3", "4", "5"]
    assert found.counts["2"] == (rows["rating"] == 2).sum()


def test_what_has_no_mean_is_counted_the_most_frequent_first(ratings):
    found = estimates(ratings, CHOSEN)[0]
    assert found.estimate is found.by_ratings is found.quartiles is None
    assert sum(found.counts.values()) == found.answered == 48
    assert list(found.counts.values()) == sorted(found.counts.values(), reverse=True)
    mark = estimates(ratings, MARK)[0]
    assert (mark.answered, mark.counts, mark.estimate) == (48, {}, None)


def test_of_very_many_values_the_rarest_are_joined(ratings):
    rows = ratings["task"] == TASK
    values = [str(n // 2) for n in range(rows.sum())]
    ratings.loc[rows, "chosen"] = values
    ratings.loc[rows, "condition"] = "none"
    ratings.loc[rows, "arm"] = "plain"
    found = estimates(ratings, CHOSEN)[0]
    assert len(found.counts) == 51
    assert list(found.counts)[-1] == OTHER
    assert sum(found.counts.values()) == found.answered == rows.sum()


def test_images_and_people_are_told_one_by_one(ratings):
    images, people = by_image(ratings, PLAUSIBLE), by_person(ratings, PLAUSIBLE)
    rows = ratings[ratings["task"] == TASK]
    assert len(images) == len(rows.groupby(["condition", "arm", "source_image_id"]))
    assert len(people) == 48  # each in two conditions of one arm
    for each, key in [(images[5], "source_image_id"), (people[7], "participant_id")]:
        of = rows[
            (rows[key] == each.key)
            & (rows["condition"] == each.condition)
            & (rows["arm"] == each.arm)
        ]
        assert each.value == pytest.approx(of["said_plausible"].mean())
        assert each.answered == sum(each.counts.values()) == len(of)
    assert by_image(ratings, CHOSEN)[0].value is None


def test_practice_and_excluded_ratings_count_only_where_they_should(ratings):
    ratings.loc[:9, "trial_type"] = "practice"
    ratings.loc[10:29, "excluded"] = True
    assert len(counted(ratings)) == len(ratings) - 30
    assert len(counted(ratings, with_excluded=True)) == len(ratings) - 10


def test_each_exclusion_rule_is_taken_away_alone(ratings):
    rows = ratings.index[ratings["task"] == TASK]
    for at, rule in [(slice(0, 8), "fast"), (slice(8, 12), "fast;catch"), (slice(12, 30), "catch")]:
        ratings.loc[rows[at], ["excluded", "exclusion_rule"]] = [True, rule]
    found = {each.rule: each for each in sensitivity(ratings, PLAUSIBLE, ["fast", "catch", "slow"])}
    assert list(found) == ["", "fast", "catch", "slow", "none"]
    counts = {rule: sum(cell.answered for cell in each.estimates) for rule, each in found.items()}
    assert counts == {"": 162, "fast": 170, "catch": 180, "slow": 162, "none": 192}
    assert {rule: each.ratings for rule, each in found.items()} == {
        "": 30,
        "fast": 12,
        "catch": 22,
        "slow": 0,
        "none": 30,
    }
    assert found["fast"].people == ratings.loc[rows[:12], "participant_id"].nunique()
    assert list(found[""].estimates) == estimates(counted(ratings), PLAUSIBLE)
    assert [each.rule for each in sensitivity(ratings, PLAUSIBLE, [])] == [""]


def test_an_outcome_that_was_not_scored_is_named(ratings):
    with pytest.raises(ValueError, match="'accepted'"):
        estimates(ratings, Outcome("accepted", "binary", "", "", TASK))

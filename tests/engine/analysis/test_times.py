"""Reaction times: typical ones, and how they change in a session."""

import numpy as np
import pytest

from engine.analysis.times import courses, times
from tests.support.simulated_ratings import frame


@pytest.fixture
def ratings():
    """People with a pace of their own, 30 % faster at the end, 50 % slower in one condition."""
    table = frame({"none": 0.5, "noise": 0.5}, 30, 20, each=10, seed=4)
    rng = np.random.default_rng(7)
    pace = dict(zip(table["participant_id"].unique(), rng.normal(0, 0.3, 30), strict=True))
    place = table["presentation_index"] / 19
    logs = np.log(1000) + table["participant_id"].map(pace) + np.log(0.7) * place
    logs += np.log(1.5) * (table["condition"] == "noise") + rng.normal(0, 0.2, len(table))
    return table.assign(rt_ms=np.exp(logs))


def test_the_typical_time_is_the_geometric_mean_of_peoples_own(ratings):
    noise, none = times(ratings)
    assert (noise.task, noise.condition, noise.arm) == ("target_plausible", "noise", "all")
    logs = np.log(ratings["rt_ms"]).groupby([ratings["condition"], ratings["participant_id"]])
    own = logs.mean()["none"]
    assert none.typical.value == pytest.approx(np.exp(own.mean()))
    assert none.typical.low < none.typical.value < none.typical.high < 1.5 * none.typical.value
    assert noise.typical.value / none.typical.value == pytest.approx(1.5, abs=0.15)
    of_none = ratings[ratings["condition"] == "none"]["rt_ms"]
    assert none.quartiles == pytest.approx(tuple(of_none.quantile([0.25, 0.5, 0.75])))
    assert none.answered == none.typical.ratings == 300


def test_no_time_is_taken_of_what_came_too_late_or_has_none(ratings):
    ratings.loc[:9, "timed_out"] = True
    ratings.loc[10:14, "rt_ms"] = np.nan
    assert sum(each.answered for each in times(ratings)) == len(ratings) - 15
    assert courses(ratings)[0].slope.ratings == len(ratings) - 15
    assert times(ratings.iloc[:0]) == courses(ratings.iloc[:0]) == []


def test_the_course_of_a_session_is_what_people_have_in_common(ratings):
    (course,) = courses(ratings)
    assert course.slope.value == pytest.approx(-30, abs=5)
    assert course.slope.low < -30 < course.slope.high < 0
    assert course.slope.people == 30
    assert len(course.parts) == 5
    assert course.parts[0] > course.parts[-1] * 1.15
    alone = courses(ratings[ratings["participant_id"] == "p003"])[0].slope
    assert alone.refused == "one person has a trend, which takes two presentations"
    assert alone.value is not None


def test_a_place_is_one_among_ones_own_presentations(ratings):
    """Who left early has come to the end of what there is of them; practice shifts nobody."""
    shifted = ratings.assign(presentation_index=ratings["presentation_index"] + 6)
    assert courses(shifted) == courses(ratings)
    first = ratings[ratings["presentation_index"] == 0]
    (only,) = courses(first)
    assert only.slope.value is None
    assert only.slope.refused == "nobody has a trend, which takes two presentations"
    assert np.isnan(only.parts[1:]).all()

"""Means of ratings: intervals neither too narrow nor too wide, resting on known arithmetic."""

from math import inf, sqrt

import numpy as np
import pytest
from scipy.stats import binom, ttest_ind

from engine.statistics import mean, wilson
from engine.statistics.clustered import average, difference, share
from engine.statistics.influence import Ratings, small_sample
from tests.support.simulated_ratings import answers, intercept

STUDIES = 200
NARROW, WIDE = 0.001, 0.12
"""Chance that a share of intervals as low as is allowed fails; how uncertain a known width is."""


def fewest(share_of_studies: float) -> int:
    """How many of the studies it is all but certainly, where it is this share of all."""
    return int(binom.ppf(NARROW, STUDIES, share_of_studies))


def most(share_of_studies: float) -> int:
    return int(binom.ppf(1 - NARROW, STUDIES, share_of_studies))


def leavers(rng, people, images, of, leave):
    """People who see all images of one condition; those who say yes less leave early."""
    who = rng.normal(0, 1, people)
    logits = intercept(of, sqrt(2.0)) + who[:, None] + rng.normal(0, 1, images)
    yes = rng.random((people, images)) < 1 / (1 + np.exp(-logits))
    asked = np.ones_like(yes)
    for person in np.flatnonzero(rng.random(people) < 2 * leave / (1 + np.exp(2 * who))):
        asked[person, rng.permutation(images)[images // 5 :]] = False
    person, image = np.nonzero(asked)
    return yes[person, image], person, image


@pytest.mark.parametrize(
    ("of", "people", "images", "each", "lowest", "widest"),
    [
        (0.5, 8, 8, None, 0.92, 1.12),
        (0.2, 200, 8, None, 0.92, 1.12),
        (0.3, 40, 20, 4, 0.92, 1.12),
        (0.05, 12, 20, 2, 0.88, 1.6),
        (0.05, 40, 3, None, 0.88, 1.6),
    ],
)
def test_an_interval_of_a_share_covers_the_truth_and_is_no_wider_than_it_must(
    of, people, images, each, lowest, widest
):
    rng = np.random.default_rng(11)
    found = []
    for _ in range(STUDIES):
        yes, asked = answers(
            rng, [of], people, images, each=each, person_condition=0, image_condition=0
        )
        person, image = np.nonzero(asked[0])
        found.append(share(yes[0][person, image], person, image))
    covered = sum(each.low <= of <= each.high for each in found)
    width = np.mean([each.high - each.low for each in found])
    known = 2 * 1.96 * np.std([each.value for each in found])
    assert covered >= fewest(lowest)
    assert 0.85 < width / known < widest * (1 + WIDE)


def test_people_who_leave_because_of_what_they_say_do_not_bend_a_share():
    rng = np.random.default_rng(3)
    studies = [leavers(rng, 40, 20, 0.5, 0.8) for _ in range(STUDIES)]
    by_people, by_ratings = (
        [share(*study, weights=weights) for study in studies] for weights in ("people", "ratings")
    )
    assert np.mean([each.value for each in by_people]) == pytest.approx(0.5, abs=0.02)
    assert np.mean([each.value for each in by_ratings]) > 0.57
    assert sum(each.low <= 0.5 <= each.high for each in by_people) >= fewest(0.92)
    assert sum(each.low <= 0.5 <= each.high for each in by_ratings) < fewest(0.85)


def compared(rng, shares, people, images, **design):
    yes, asked = answers(rng, shares, people, images, **design)
    if design.get("each") is None:  # two arms: half of the people in each
        asked[0, ::2] = asked[1, 1::2] = False
    condition, person, image = np.nonzero(asked)
    return yes[condition, person, image], condition == 0, person, image


@pytest.mark.parametrize(("people", "each"), [(40, 4), (100, 4), (40, None)])
def test_a_comparison_is_decided_where_there_is_something_and_seldom_else(people, each):
    rng = np.random.default_rng(people)
    for first in (0.3, 0.42):
        studies = [compared(rng, [first, 0.3], people, 20, each=each) for _ in range(STUDIES)]
        found = [difference(*study).estimate for study in studies]
        ends = np.array([each.interval() for each in found])
        truth = first - 0.3
        assert ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).sum() >= fewest(0.94)
        known = 2 * 1.96 * np.std([each.value for each in found])
        assert 0.85 < np.mean(ends[:, 1] - ends[:, 0]) / known < 1.3 * (1 + WIDE)
        decided = ((ends[:, 0] > 0) | (ends[:, 1] < 0)).sum()
        if truth == 0:
            assert decided <= most(0.06)
        elif each:
            assert decided >= fewest(0.43 if people == 40 else 0.69)


def sparse(seed=5, *, repeated=True):
    """Ratings of two groups with people and images in both and in one, unequal and repeated."""
    rng = np.random.default_rng(seed)
    person, image = rng.integers(0, 15, 160), rng.integers(0, 12, 160)
    first = rng.random(160) < 0.4
    values = rng.random(160) < np.where(first, 0.6, 0.3) + 0.02 * person - 0.1
    assert len(set(zip(person, image, strict=True))) < 160  # a pair has met twice
    return values.astype(float), first, person, image


def test_the_variance_is_that_of_a_regression_with_errors_clustered_two_ways():
    from statsmodels.regression.linear_model import OLS

    values, first, person, image = sparse()
    fitted = OLS(values, np.column_stack([np.ones(160), first])).fit(
        cov_type="cluster",
        cov_kwds={"groups": np.column_stack([person, image]), "use_correction": False},
    )
    ratings = Ratings.of(values, first, person, image, "ratings")
    parts = ratings.parts()
    both = [np.bincount(each) for each in (person, image)]
    factors = []
    for number, cluster in enumerate((person, image)):
        weights = np.array(
            [np.bincount(cluster[first == of], minlength=len(both[number])) for of in (False, True)]
        )
        factors.append(small_sample(weights / weights.sum(1, keepdims=True))[1])
    variance = parts.people / factors[0] + parts.images / factors[1] - parts.pairs
    assert variance == pytest.approx(fitted.bse[1] ** 2, rel=1e-9)
    estimate = difference(values, first, person, image, weights="ratings").estimate
    assert estimate.value == pytest.approx(fitted.params[1], rel=1e-9)


def test_few_clusters_count_as_many_as_weigh_the_same():
    assert small_sample(np.full((1, 8), 1 / 8)) == pytest.approx((1 / 8, 8 / 7, 7))
    assert small_sample(np.full((2, 8), 1 / 8)) == pytest.approx((2 / 8, 8 / 7, 7))
    apart = np.kron(np.eye(2), np.full((1, 8), 1 / 8))
    assert small_sample(apart) == pytest.approx((2 / 8, 8 / 7, 14))
    rng = np.random.default_rng(0)
    weights = rng.random((2, 7)) * (rng.random((2, 7)) < 0.7)
    weights /= weights.sum(1, keepdims=True)
    centred = [np.diag(w) @ (np.eye(7) - np.outer(np.ones(7), w)) for w in weights]
    product = sum(each @ each.T for each in centred)
    trace, equal = np.trace(product), (weights**2).sum()
    df = trace**2 / np.trace(product @ product)
    assert small_sample(weights) == pytest.approx((equal, equal / trace, df))
    uneven = small_sample(np.array([[0.25, 0.25, *[0.5 / 18] * 18]]))
    assert uneven[2] < 5  # two of twenty images with half of the ratings


def test_a_full_table_has_the_error_of_a_two_way_mean():
    rng = np.random.default_rng(2)
    table = rng.normal(0, 1, 12)[:, None] + rng.normal(0, 1, 9) + rng.normal(0, 1, (12, 9))
    person, image = np.indices(table.shape)
    found = average(table.ravel(), person.ravel(), image.ravel())
    expected = mean(table)
    assert found.value == pytest.approx(expected.value)
    assert found.error == pytest.approx(expected.error, rel=0.01)
    assert found.df == pytest.approx(expected.df, rel=0.15)


def test_ratings_that_share_neither_person_nor_image_are_compared_by_welch():
    rng = np.random.default_rng(4)
    values, first = rng.normal(size=120), np.arange(120) < 50
    values[first] *= 3
    found = difference(values, first, np.arange(120), np.arange(120)).estimate
    welch = ttest_ind(values[first], values[~first], equal_var=False)
    assert found.error == pytest.approx(
        (values[first].mean() - values[~first].mean()) / welch[0], rel=0.02
    )
    assert 2 * min(found.p_above(0), found.p_below(0)) == pytest.approx(welch.pvalue, rel=0.1)


def test_a_person_counts_once_whatever_number_of_ratings_they_gave():
    yes, person, image = [1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1], [0, 1, 2, 3, 0, 1]
    assert share(yes, person, image).value == pytest.approx(1 / 2)
    assert share(yes, person, image, weights="ratings").value == pytest.approx(4 / 6)
    first = [True, True, False, False, True, False]
    assert difference(yes, first, person, image).estimate.value == pytest.approx(0.0)
    by_ratings = difference(yes, first, person, image, weights="ratings")
    assert by_ratings.estimate.value == pytest.approx(2 / 3 - 2 / 3)


def test_names_of_people_and_images_do_not_matter_nor_does_the_order():
    values, first, person, image = sparse()
    named = difference(values, first, [f"p{n}" for n in person], [f"i{n}" for n in image])
    turned = difference(values[::-1], first[::-1], person[::-1], image[::-1])
    expected = difference(values, first, person, image)
    for found in (named, turned):
        assert found.estimate.error == pytest.approx(expected.estimate.error)
        assert found.shared_people == expected.shared_people
    other = difference(values, ~first, person, image).estimate
    assert (other.value, other.df) == pytest.approx(
        (-expected.estimate.value, expected.estimate.df)
    )


def test_an_interval_is_never_narrower_than_that_of_independent_ratings():
    rng = np.random.default_rng(8)
    person, image = (each.ravel() for each in np.indices((12, 10)))
    for _ in range(100):
        yes = rng.random(120) < 0.3
        found = share(yes, person, image)
        low, high = wilson(int(yes.sum()), 120)
        assert found.high - found.low >= high - low - 1e-9
        assert found.effective <= 120 + 1e-9


def test_what_is_typical_counts_a_little_where_there_are_few_images():
    person, image = (each.ravel() for each in np.indices((40, 3)))
    unlike = share(image == 2, person, image)  # all say yes of one image, and no of both others
    assert unlike.low < 0.05
    assert unlike.high > 0.85
    answers_alike = (person + 13 * image) % 10 < 3
    alike = share(answers_alike, person, image)
    low, high = wilson(int(answers_alike.sum()), 120)
    assert 1.03 < (alike.high - alike.low) / (high - low) < 1.15


def test_answers_that_are_all_the_same_have_an_interval_that_is_no_point():
    person, image = (each.ravel() for each in np.indices((12, 8)))
    none, every = (share(np.full(96, value), person, image) for value in (False, True))
    assert (none.low, every.high) == (0, 1)
    assert (none.value, every.value) == (0, 1)
    assert wilson(0, 96)[1] < none.high < wilson(0, 8)[1]
    assert every.low == pytest.approx(1 - none.high)
    first = image < 4
    of_none = difference(np.zeros(96), first, person, image)
    assert not of_none.refused
    assert 0.02 < of_none.estimate.interval()[1] < 0.15
    scale = average(np.full(96, 4.0), person, image)
    assert (scale.value, scale.low, scale.high) == (4, -inf, inf)
    assert scale.refused == "all values are the same: nothing is known of how ratings vary"


def test_one_image_or_one_person_is_refused_and_few_are_warned_of():
    yes = np.array([True, False] * 10)
    many, one = np.arange(20), np.zeros(20, dtype=int)
    found = share(yes, many, one)
    assert (found.value, found.low, found.high) == (0.5, 0, 1)
    assert found.refused == "one image: it says nothing of others"
    assert share(yes, one, many).refused == "one person: they say nothing of others"
    assert average(yes, many, one).low == -inf
    assert share([], [], []).refused == "no ratings"
    assert share([], [], []).value is None
    few = share(yes, many % 10, many % 5)
    assert few.warning == "only 5 images: the interval rests on how typical they are"
    assert not share(yes, many % 6, many % 10).warning
    alone = difference(yes, many < 10, many, np.where(many < 10, 0, many))
    assert alone.refused == "one image in one of the groups: it says nothing of others"
    assert alone.estimate.interval() == (-inf, inf)
    assert alone.estimate.p_above(0) == alone.estimate.p_below(0) == 1
    assert difference(yes, many < 0, many, many).refused == "no ratings in one of the groups"


def test_ratings_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="missing or infinite"):
        average([1.0, float("nan")], [0, 1], [0, 1])
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        share([1, 2], [0, 1], [0, 1])
    with pytest.raises(ValueError, match="each rating has one of each"):
        share([1, 0], [0, 1], [0])
    with pytest.raises(ValueError, match="not 'images'"):
        share([1, 0], [0, 1], [0, 1], weights="images")

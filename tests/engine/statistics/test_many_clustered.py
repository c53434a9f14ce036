"""Differences of many data sets at once are those of each by itself."""

import numpy as np
import pytest

from engine.statistics.clustered import difference
from engine.statistics.many_clustered import Group, differences

RUNS = 6


def latin(people, images, each, first):
    """Each person rates `each` images, the next person the next ones."""
    pairs = [(p, (first + p * each + n) % images) for p in range(people) for n in range(each)]
    return np.array(pairs).T


def ragged(people, images, rng):
    """People rate as many images as it happens, the first and the last none."""
    seen = rng.random((people, images)) < 0.3
    seen[[0, -1]] = False
    return np.nonzero(seen)


DESIGNS = {
    "counterbalanced": lambda rng: (latin(9, 12, 3, 0), latin(9, 12, 3, 6)),
    "everybody sees every image in both": lambda rng: (latin(7, 8, 8, 0), latin(7, 8, 8, 0)),
    "some see an image in both": lambda rng: (latin(9, 12, 3, 0), latin(9, 12, 3, 1)),
    "unequal": lambda rng: (ragged(14, 10, rng), ragged(14, 10, rng)),
    "different people": lambda rng: (latin(6, 9, 3, 0), np.add(latin(6, 9, 3, 3), [[6], [0]])),
}


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("share", [0.3, 0.03])
def test_as_one_by_one(design, share):
    rng = np.random.default_rng(5)
    pairs = DESIGNS[design](rng)
    size = {"people": 14, "images": 12}
    sums, answers = [], []
    for (person, image), chance in zip(pairs, (share, 2 * share), strict=True):
        yes = rng.random((RUNS, len(person))) < chance
        answers.append(yes)
        sums.append(Group(person, image, **size).sums(yes))
    found = differences(*sums)
    person, image = np.concatenate(pairs, axis=1)
    first = np.arange(len(person)) < len(pairs[0][0])
    for run, yes in enumerate(np.concatenate(answers, axis=1)):
        one = difference(yes, first, person, image).estimate
        got = [found.value[run], found.error[run], found.df[run]]
        np.testing.assert_allclose(got, [one.value, one.error, one.df], rtol=1e-9, atol=1e-12)
        assert found.p_above(0.1)[run] == pytest.approx(one.p_above(0.1), abs=1e-12)
        assert found.p_below(0.1)[run] == pytest.approx(one.p_below(0.1), abs=1e-12)
        low, high = one.interval()
        assert found.widths()[run] == pytest.approx(high - low)


def test_one_image_decides_nothing():
    yes = np.ones((2, 5), dtype=bool)
    groups = [Group(np.arange(5), np.zeros(5, int), people=5, images=2) for _ in range(2)]
    found = differences(groups[0].sums(yes), groups[1].sums(~yes))
    assert found.value.tolist() == [1, 1]
    assert np.isinf(found.error).all()
    assert found.p_above().tolist() == [1, 1]

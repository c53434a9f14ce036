"""Lists are balanced, and the same two images do not go together in all of them."""

import random
from itertools import combinations

import pytest

from study_app.design.rotation import rotated


@pytest.mark.parametrize(
    ("counts", "lists", "most", "always"),
    [
        ([4, 4, 4, 4, 2, 2], 10, 3, 0),  # demo
        ([8] * 5, 5, 3, 0),  # ross2018-controls
        ([2] * 10, 10, 2, 0),  # saliency-preference
        ([12, 4, 4], 5, 5, 5),  # zhou-firestone2019: 20 of 20 possible ways through five lists
        ([10, 10, 10], 3, 3, 60),  # ross2018: 30 images have only six ways through three lists
        ([7, 5], 12, 8, 0),
        ([6], 1, 1, 15),
        ([3], 4, 4, 3),
    ],
)
def test_conditions_are_balanced_over_lists_and_images_meet_others_each_time(
    counts, lists, most, always
):
    shown = {f"c{number}": count for number, count in enumerate(counts)}
    table = rotated(shown, lists, random.Random(5))
    sources = sum(counts)
    assert len(table) == lists
    for row in table:
        assert {label: row.count(label) for label in shown} == shown
    for source in range(sources):
        seen = [row[source] for row in table]
        assert {c: seen.count(c) * sources for c in shown} == {
            c: lists * count for c, count in shown.items()
        }
    met = [sum(row[a] == row[b] for row in table) for a, b in combinations(range(sources), 2)]
    assert max(met) <= most
    assert sum(times == lists for times in met) <= always
    assert table == rotated(shown, lists, random.Random(5))

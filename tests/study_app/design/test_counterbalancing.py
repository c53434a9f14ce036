"""Orders are balanced within a person, and catch presentations cannot be foretold."""

import random
from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from study_app.design.counterbalancing import catch_places, orders

SEEDS = range(2000)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=40), st.integers(0))
def test_everything_stands_at_every_place_equally_often_or_once_more(wanted, seed):
    dealt = orders(wanted, random.Random(seed))
    assert [sorted(order) for order in dealt] == [list(range(size)) for _, size in wanted]
    for group in set(wanted):
        own = [order for order, each in zip(dealt, wanted, strict=True) if each == group]
        for place in range(group[1]):
            held = [Counter(order[place] for order in own)[thing] for thing in range(group[1])]
            assert max(held) - min(held) <= 1


def test_what_is_left_over_is_balanced_over_conditions_and_nothing_of_it_is_fixed():
    several = [(label, 2) for label in "abcdefg"]  # one presentation each
    firsts = Counter()
    for seed in SEEDS:
        first = [order[0] for order in orders(several, random.Random(seed))]
        assert sum(first) in (3, 4)
        firsts.update(place for place, side in enumerate(first) if side)
    assert all(900 < firsts[place] < 1100 for place in range(7))  # 4.5 standard deviations


def test_every_part_of_a_session_has_a_catch_presentation_and_nobody_can_tell_where():
    """24 places, 4 of them catch, as in the demo."""
    drawn = [sorted(catch_places(24, 4, random.Random(seed))) for seed in SEEDS]
    at = Counter(place for places in drawn for place in places)
    assert at[0] == 0
    assert all(4 * len(drawn) / 23 * 0.7 < at[place] < 4 * len(drawn) / 23 * 1.3
               for place in range(1, 24))  # fmt: skip
    for places in drawn:
        assert len(set(places)) == 4
        assert places[0] < 12 <= places[-1]
    # After a catch presentation the next may be one as well, about as often as any other.
    apart = Counter(after - before for places in drawn for before, after in pairwise(places))
    assert 0.75 < apart[1] / (len(drawn) * 12 / 23) < 1.25
    # Whoever knows the rule and has seen up to two can be sure of neither, except at the last place
    # of a half that has had none (at the very end few enough get there for this to be chance).
    seen = {(place, sum(p < place for p in places), place in places)
            for places in drawn for place in range(1, 24)}  # fmt: skip
    sure = {(place, before) for place, before, is_one in seen
            if (place, before, not is_one) not in seen and before < 3}  # fmt: skip
    assert all(place > 20 or (place, before) == (11, 0) for place, before in sure)


def test_few_places_and_many_catch_presentations():
    for total, count in [(1, 0), (2, 1), (4, 3), (51, 50), (8, 2)]:
        places = catch_places(total, count, random.Random(0))
        assert len(places) == count
        assert places <= set(range(1, total))

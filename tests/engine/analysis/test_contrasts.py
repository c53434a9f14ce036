"""Comparisons: what is claimed is tested, corrected within its family, and said in a sentence."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.analysis.contrasts import ContrastSpec, contrasts
from engine.analysis.outcomes import Outcome
from engine.analysis.planning import exploratory
from engine.statistics import every_above, holm
from engine.statistics.clustered import difference
from tests.support.simulated_ratings import frame

TASK = "target_plausible"
PLAUSIBLE = Outcome("said_plausible", "binary", "said yes", "called plausible", TASK)
RATING = Outcome("rating", "ordinal", "how sure", "confidence", TASK, low=1, high=5)


@pytest.fixture(scope="module")
def ratings():
    """Three conditions in two arms: penalty is far above both others, which are alike."""
    shares = {"none": 0.3, "noise": 0.3, "penalty": 0.65}
    table = frame(shares, 60, 25, each=6, arms=("plain", "mapped"), seed=3)
    table["rating"] = table["said_plausible"].astype("Int64") + 2
    table["stimulus_kind"] = np.where(table["condition"] == "noise", "control", "adversarial")
    return table


def spec(of="penalty", *to, **changes):
    return ContrastSpec(PLAUSIBLE, of, to or ("none",), **changes)


def rows(ratings, *labels, arm=None):
    held = ratings[ratings["condition"].isin(labels)]
    return held if arm is None else held[held["arm"] == arm]


def by_hand(part, column, of):
    return difference(
        part["said_plausible"].to_numpy(dtype=bool),
        (part[column] == of).to_numpy(),
        part["participant_id"].to_numpy(dtype=str),
        part["source_image_id"].to_numpy(dtype=str),
    ).estimate


def test_conditions_are_compared_within_the_arm_that_is_named(ratings):
    found, everywhere = contrasts(ratings, [spec(within="plain", family="a"), spec(family="b")])
    expected = by_hand(rows(ratings, "penalty", "none", arm="plain"), "condition", "penalty")
    assert (found.value, (found.low, found.high)) == (expected.value, expected.interval())
    assert found.p == pytest.approx(
        2 * expected.p_below(0) if expected.value < 0 else 2 * expected.p_above(0)
    )
    assert found.p_corrected == found.p  # alone in its family
    assert everywhere.differences[0].people == 60
    assert found.differences[0].people == found.differences[0].shared_people == 30
    assert (found.decided, found.at) == ("above", "none")


def test_arms_are_compared_by_different_people_and_the_same_images(ratings):
    found = contrasts(ratings, [spec("mapped", "plain", between="arms", within="penalty")])[0]
    expected = by_hand(rows(ratings, "penalty"), "arm", "mapped")
    assert found.value == pytest.approx(expected.value)
    assert found.differences[0].shared_people == 0
    assert found.differences[0].shared_images == 25
    assert found.decided == "undecided"
    assert found.low < 0 < found.high


def test_p_values_are_corrected_within_families_and_registered_ones_by_themselves(ratings):
    specs = [
        spec("none", "noise", family="main", registered=True),
        spec(family="main", registered=True),
        spec("none", "noise", family="main"),
        spec("penalty", "noise", family="main"),
        spec("penalty", "noise", family="other"),
    ]
    found = contrasts(ratings, specs)
    assert [each.spec for each in found] == specs
    p = [each.p for each in found]
    assert [each.p_corrected for each in found[:2]] == pytest.approx(holm(p[:2]))
    assert [each.p_corrected for each in found[2:4]] == pytest.approx(holm(p[2:4]))
    assert found[4].p_corrected == p[4]
    assert found[1].p_corrected == pytest.approx(2 * p[1])


def test_a_comparison_that_cannot_be_made_says_why_and_weighs_on_no_other(ratings):
    one = ratings[(ratings["condition"] != "noise") | (ratings["source_image_id"] == "image 003")]
    specs = [
        spec(family="f"),
        spec("none", "absent", family="f"),
        spec("none", "noise", family="f"),
    ]
    found = contrasts(one, specs)
    assert found[0].p_corrected == found[0].p
    for each in found[1:]:
        assert each.decided == "refused"
        assert each.p == each.p_corrected == 1
        assert "does not count in its family" in each.said
    assert "no ratings in one of the groups" in found[1].said
    assert "one image in one of the groups: it says nothing of others" in found[2].said
    assert found[2].value is not None


def test_a_claim_of_one_direction_is_tested_in_that_direction(ratings):
    above, below, either = (
        contrasts(ratings, [spec(claim=claim)])[0] for claim in ("above", "below", "different")
    )
    assert above.p == pytest.approx(either.p / 2)
    assert below.p == pytest.approx(1 - above.p)
    assert [each.decided for each in (above, below, either)] == ["above", "undecided", "above"]
    assert (above.low, above.high) == (either.low, either.high)
    assert "one-sided p" in above.said
    assert below.said.endswith("Not shown to be below.")
    turned = contrasts(ratings, [spec("none", "penalty")])[0]
    assert (turned.decided, turned.value) == ("below", pytest.approx(-either.value))


def test_above_every_other_is_tested_against_each_at_the_full_level(ratings):
    found = contrasts(ratings, [spec("penalty", "none", "noise", claim="above_every")])[0]
    each = [
        by_hand(rows(ratings, "penalty", to), "condition", "penalty") for to in ("none", "noise")
    ]
    decision = every_above(each)
    assert (found.value, found.low, found.high) == (decision.value, decision.low, decision.high)
    assert found.p == decision.p_above
    assert found.at == ("none", "noise")[decision.at]
    assert found.decided == "above"
    assert "Above every other." in found.said
    none = contrasts(ratings, [spec("none", "noise", "penalty", claim="above_every")])[0]
    assert (none.decided, none.at) == ("undecided", "penalty")
    assert none.p > 0.99


def test_no_difference_is_shown_by_two_one_sided_tests_within_a_margin(ratings):
    wide, narrow, other = contrasts(
        ratings,
        [
            spec("none", "noise", claim="equivalent", margin=0.3, family="a"),
            spec("none", "noise", claim="equivalent", margin=0.01, family="b"),
            spec("penalty", "noise", claim="equivalent", margin=0.1, family="c"),
        ],
    )
    estimate = by_hand(rows(ratings, "none", "noise"), "condition", "none")
    assert wide.p == max(estimate.p_above(-0.3), estimate.p_below(0.3))
    low, high = estimate.interval(0.1)
    assert low > -0.3
    assert high < 0.3
    assert wide.decided == "equivalent"
    assert wide.said.endswith("Equivalent within 30 points.")
    assert (narrow.decided, other.decided) == ("undecided", "undecided")
    assert narrow.said.endswith("Not shown to be within 1 point.")


def test_a_difference_is_said_in_its_units_with_what_it_leaves_open(ratings):
    shares, scale, open_ = contrasts(
        ratings,
        [
            spec(family="f"),
            replace(spec(family="g"), outcome=RATING),
            spec("noise", "none", family="f", smallest_effect=0.12),
        ],
    )
    assert shares.said == (
        f"{100 * shares.value:.0f} points more (95 % interval {100 * shares.low:.0f} to "
        f"{100 * shares.high:.0f}; p < .001, corrected < .001)."
    )
    assert scale.said == (
        f"{scale.value:.2f} scale points more (95 % interval {scale.low:.2f} to {scale.high:.2f}; "
        "p < .001)."
    )
    assert "No difference is shown." in open_.said
    possible = open_.low < -0.12 or open_.high > 0.12
    told = "A difference of 12 points, the smallest that matters, "
    assert f"{told}{'is not excluded' if possible else 'is excluded'}." in open_.said
    assert "\N{MINUS SIGN}" in open_.said
    assert " -" not in open_.said


def test_few_people_are_warned_of_in_the_sentence(ratings):
    few = ratings[ratings["participant_id"].isin([f"p{n:03d}" for n in range(5)])]
    said = contrasts(few, [spec()])[0].said
    assert said.endswith(
        "Only 5 people in one of the groups: the interval rests on how typical they are."
    )


@pytest.fixture(scope="module")
def small():
    return frame({"none": 0.35, "penalty": 0.6}, 16, 12, each=6, seed=5)


def test_the_mixed_model_decides_where_it_was_registered(small):
    declared, beside, plain = (
        contrasts(small, [spec(registered=True, test=test)], mixed=mixed)[0]
        for test, mixed in (("mixed", False), ("cluster_t", True), ("cluster_t", False))
    )
    assert (len(declared.mixed), len(beside.mixed), len(plain.mixed)) == (1, 1, 0)
    fit = declared.mixed[0]
    assert declared.p_corrected == fit.p
    assert declared.said.startswith(f"Odds ratio {fit.odds_ratio:.2f} ")
    assert declared.p == beside.p == plain.p == beside.p_corrected
    assert beside.said.startswith(plain.said)
    assert "By the mixed model p" in beside.said


def test_where_both_tests_disagree_it_is_said_which_was_registered(small, monkeypatch):
    from engine.statistics import mixed

    real = contrasts(small, [spec()], mixed=True)[0]
    opposite = replace(real.mixed[0], p=0.9 if real.decided == "above" else 1e-6)
    monkeypatch.setattr(mixed, "mixed_test", lambda *args, **options: opposite)
    t = contrasts(small, [spec(registered=True)], mixed=True)[0].said
    assert "The tests disagree before correction: registered is the cluster t." in t
    model = contrasts(small, [spec(registered=True, test="mixed")])[0]
    assert "The tests disagree before correction: registered is the mixed model." in model.said
    assert model.decided != real.decided
    explored = contrasts(small, [spec(test="mixed")])[0].said
    assert "what decides is the mixed model" in explored


def test_a_mixed_model_that_does_not_exist_is_refused_where_it_decides(small):
    small = small.copy()
    small.loc[small["condition"] == "penalty", "said_plausible"] = True
    declared, beside = contrasts(
        small, [spec(test="mixed", family="a"), spec(family="b")], mixed=True
    )
    assert declared.decided == "refused"
    assert declared.said.startswith("Not compared by the mixed model: ")
    assert beside.decided == "above"
    assert "By the mixed model there is no test: " in beside.said


def test_of_other_outcomes_than_yes_and_no_the_cluster_t_decides(ratings):
    rating = replace(spec(test="mixed"), outcome=RATING)
    found = contrasts(ratings, [rating], mixed=True)[0]
    assert not found.mixed
    assert found.decided == "above"
    margin = contrasts(ratings, [spec(test="mixed", claim="equivalent", margin=0.2)])[0]
    assert not margin.mixed
    assert margin.p_corrected == margin.p


def test_specifications_that_make_no_sense_are_refused_by_name(ratings):
    for wrong, said in [
        (spec("penalty", "none", "noise"), "'different' is said of one"),
        (spec("none", "none"), "others than itself"),
        (spec("none", "noise", claim="equivalent"), "needs a margin"),
        (replace(spec(), outcome=replace(PLAUSIBLE, kind="choice")), "has no mean"),
    ]:
        with pytest.raises(ValueError, match=said):
            contrasts(ratings, [wrong])


def test_without_a_declaration_all_conditions_and_arms_are_compared(ratings):
    specs = exploratory(ratings, [PLAUSIBLE])
    made = [(each.of, *each.to, each.between, each.within) for each in specs]
    assert len(made) == len(set(made)) == 2 * 3 + 3
    assert ("penalty", "noise", "conditions", "plain") in made  # the control is what is compared to
    assert ("none", "noise", "conditions", "mapped") in made
    assert ("plain", "mapped", "arms", "none") in made
    assert {each.family for each in specs} == {"exploratory:said_plausible"}
    assert not any(each.registered for each in specs)
    declared = [spec("none", "penalty", within="plain", registered=True)]
    assert len(exploratory(ratings, [PLAUSIBLE], declared)) == 8
    text = Outcome("words", "text", "", "", TASK)
    assert exploratory(ratings.assign(words="a"), [text]) == []


def test_of_very_many_conditions_each_is_compared_with_the_first_and_the_controls():
    labels = [f"c{n}" for n in range(8)]
    table = frame(dict.fromkeys(labels, 0.4), 4, 16, each=2)
    table["stimulus_kind"] = np.where(table["condition"] == "c5", "clean", "adversarial")
    pairs = {(each.of, each.to[0]) for each in exploratory(table, [PLAUSIBLE])}
    others = [label for label in labels if label not in ("c0", "c5")]
    assert pairs == {("c0", "c5"), *((label, to) for label in others for to in ("c0", "c5"))}
    ordered = table.assign(condition=pd.Categorical(table["condition"], labels[::-1]))
    assert ("c0", "c7") in {(each.of, each.to[0]) for each in exploratory(ordered, [PLAUSIBLE])}

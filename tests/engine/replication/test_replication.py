"""Verdicts: what an interval says, and what the papers' claims say of worlds made up for them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import AbsentError, UsageError
from engine.replication import Check, check, markdown, nar2019, papers, ross2018
from engine.results import Measures, MinimumNorm, Predictions
from engine.robustness import doubt

IMAGES = 60


def test_the_quantity_is_the_advantage_over_the_best_competitor():
    rng = np.random.default_rng(0)
    scores = [rng.normal(mean, 0.1, (3, IMAGES)) for mean in (0.5, 0.2, 0.9)]
    found = check("1", "d", "s", lambda: scores)
    assert found.value == pytest.approx(scores[1].mean())
    assert found.low < found.value < found.high
    assert found.verdict == "holds"
    assert check("1", "d", "s", lambda: scores, bound=0.5).verdict == "fails"
    assert check("1", "d", "s", lambda: scores, bound=float(found.value)).verdict == "undecided"
    assert check("1", "d", "s", lambda: scores, reduce=np.max).value == pytest.approx(
        scores[2].mean()
    )
    assert check("1", "d", "s", lambda: scores) == found
    assert (found.seeds, found.images) == (3, IMAGES)


def test_the_interval_knows_of_seeds_and_of_images():
    rng = np.random.default_rng(1)
    of_seeds = np.repeat([[0.0], [0.5], [1.0]], IMAGES, axis=1)
    of_images = np.repeat(rng.random((1, IMAGES)), 3, axis=0)
    widths = [
        found.high - found.low
        for found in (check("1", "d", "s", partial(list, [each])) for each in (of_seeds, of_images))
    ]
    assert widths[0] > 0.6  # two of three seeds drawn twice or thrice
    # The images' part is the ordinary standard error.
    assert widths[1] == pytest.approx(2 * 1.96 * of_images[0].std() / np.sqrt(IMAGES), rel=0.1)


def test_images_that_could_not_be_measured_do_not_count():
    scores = np.full((2, IMAGES), 0.3)
    scores[:, ::2] = np.nan
    assert check("1", "d", "s", lambda: [scores]).value == pytest.approx(0.3)
    nothing = check("1", "d", "s", lambda: [np.full((2, IMAGES), np.nan)])
    assert (nothing.value, nothing.verdict) == (None, "undecided")
    assert nothing.measured == "not measured"
    assert json.dumps(nothing.to_json(), allow_nan=False)
    assert nothing.to_json()["low"] is None
    measured = check("1", "d", "s", lambda: [scores])
    assert measured.to_json() == {**vars(measured), "verdict": "holds"}


@given(
    value=st.floats(-1, 1),
    below=st.floats(0, 1),
    above=st.floats(0, 1),
    bound=st.floats(-1, 1),
)
def test_a_verdict_needs_the_whole_interval(value, below, above, bound):
    found = Check("1", "d", "s", value, value - below, value + above, bound, 3, 10)
    assert (found.verdict == "holds") == (found.low > bound)
    assert (found.verdict == "fails") == (found.high < bound)


def test_markdown_has_a_row_a_statement_and_a_column_a_dataset():
    found = [
        Check("2a", "digits", "so it is", 0.5, 0.4, 0.6, 0.1, 3, 10),
        Check("2a", "letters", "so it is", 0.0, -0.1, 0.2, 0.1, 3, 10),
        Check("3", "letters", "so too", None, -np.inf, np.inf, 0, 3, 10),
    ]
    assert markdown(found).splitlines() == [
        "| claim | statement | bound | digits | letters |",
        "|---|---|---|---|---|",
        "| 2a | so it is | > 0.1 | **holds** 0.500 [0.400, 0.600] | "
        "**undecided** 0.000 [-0.100, 0.200] |",
        "| 3 | so too | > 0 |  | **undecided** not measured |",
    ]


class World:
    """A finished run, made up: `right(tested, source, eps)` is the share of right answers."""

    def __init__(self, defenses, right, measures, dataset="made_up", singular_values=None):
        self.name = dataset
        self.config = {"dataset_label": dataset, "defenses": {d: d for d in defenses}}
        self.lost = set()
        self._right = right
        self._measures = measures
        self._values = {
            "fgsm": [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7],
            "iterated_tgsm": [0.1],
            **{curve: [0.02, 0.08] for curve in ("cross_entropy_test", "small_steps_test")},
            "transfer_test": [0.02, 0.04],
        }

    def require(self, defense):
        if defense in self.lost:
            raise AbsentError(f"the model {defense}", f"train {defense}: RuntimeError: a | b")

    def curve(self, curve, source):
        self.require(source)
        rng = np.random.default_rng([len(curve), len(source)])
        order = rng.permutation(IMAGES)
        rows = {
            tested: np.array(
                [
                    np.where(order < self._right(tested, source, value, curve) * IMAGES, 0, 1)
                    for value in self._values[curve]
                ]
            )
            for tested in self.config["defenses"]
            if tested not in self.lost
        }
        return Predictions(self._values[curve], np.zeros(IMAGES, int), rows)

    def minimum_norm(self, curve, defense):
        self.require(defense)
        order = np.random.default_rng(len(curve)).permutation(IMAGES)
        norm = np.where(order < self._right(defense, defense, 0.1, curve) * IMAGES, np.inf, 0.005)
        norm_name, split = curve.split("_")
        labels = np.zeros(IMAGES, np.int64)
        return MinimumNorm(norm_name, split, labels, norm, np.zeros(IMAGES, bool))

    def doubts(self, defense):
        return {"reasons": [doubt.MASKED] if defense == "distillation" else [], "checks": []}

    def measures(self, defense):
        self.require(defense)
        found = self._measures(defense)
        return found if isinstance(found, Measures) else Measures(found, {})

    def selection(self, defense):
        self.require(defense)
        row = {"value": 1.95, "clean": 0.9, "transferred": 0.8, "white_box": 0.7}
        return {"chosen": 1.95, "candidates": [row, {"value": 195, "diverged": "it did"}]}

    def training_time(self, defense):
        self.require(defense)
        order = np.random.default_rng(5).permutation(IMAGES)
        right = np.stack([order < share * IMAGES for share in (0.5, 0.8, 0.3)])
        return {
            "steps": np.array([100, 200, 300]),
            "labels": np.ones(IMAGES, int),
            **dict.fromkeys(("clean", "white_box", "transferred"), right.astype(int)),
        }


DEFENSES = tuple(ross2018.TITLES)
PENALISED = ("penalty_loss", "penalty_uniform", "both")


def as_the_paper_says(tested, source, eps, curve):
    if eps == 0:
        return 0.98
    if curve == "iterated_tgsm":
        return 0.0
    if tested == "both" and tested == source:
        return 0.6 + eps  # the best, and leaking
    if source == "distillation":
        return 0.97
    if source == "penalty_loss":
        return 0.9 if tested == "adversarial_training" else 0.2
    if source == tested:
        return 0.1
    return {"both": 0.95}.get(tested, 0.9 if tested in PENALISED else 0.5)


def measures_as_the_paper_says(defense):
    rng = np.random.default_rng(7)
    penalised = defense in PENALISED
    decades = {"distillation": 12.0}.get(defense, 0.2 if penalised else 3.0)
    spread = {"distillation": 300.0}.get(defense, 1.0 if penalised else 10.0)
    norms = 10 ** rng.normal(0, decades, (IMAGES, 3))
    if defense == "distillation":
        norms[: IMAGES * 9 // 10, 0] = 0
    return {
        "labels": np.zeros(IMAGES, np.int64),
        "gradient_norms": norms,
        "zero_gradient": norms[:, 0] == 0,
        "log_probabilities": spread * rng.normal(size=(IMAGES, 3)),
        "smoothness": rng.normal(0.8 if penalised else 0.1, 0.1, IMAGES),
        "edge_alignment": rng.normal(0.5 if penalised else 0.0, 0.1, IMAGES),
    }


def test_in_a_world_as_the_paper_says_every_claim_holds():
    worlds = [World(DEFENSES, as_the_paper_says, measures_as_the_paper_says) for _ in range(3)]
    found = ross2018.checks(worlds)
    assert {each.claim for each in found} == {
        *("1", "2a", "2b", "3a", "3b"),
        *("4a", "4b", "4c", "4d", "5", "6a", "6b", "6c", "time"),
    }
    wrong = [
        (each.claim, each.statement, each.measured) for each in found if each.verdict != "holds"
    ]
    assert wrong == []
    assert [each.claim for each in found] == sorted(each.claim for each in found)


def test_in_a_world_without_differences_no_comparison_holds():
    def the_same(tested, source, eps, curve):
        return 0.5

    def measures(defense):
        return measures_as_the_paper_says("none")

    found = ross2018.checks([World(DEFENSES, the_same, measures) for _ in range(3)])
    holding = {each.claim for each in found if each.verdict == "holds"}
    # Equal is "about as often as itself", "rarely fools" and "does not lose": these have slack.
    assert holding == {"2a", "3b", "time"}  # training time is not compared with another model


def test_a_model_that_rises_and_falls_is_compared_at_its_best():
    worlds = [World(DEFENSES, as_the_paper_says, measures_as_the_paper_says) for _ in range(3)]
    (found,) = [each for each in ross2018.checks(worlds) if each.claim == "time"]
    assert found.value == pytest.approx(0.5)


def test_the_tables_show_what_was_chosen_and_what_diverged():
    worlds = [World(DEFENSES, as_the_paper_says, measures_as_the_paper_says) for _ in range(3)]
    text = ross2018.tables(worlds)
    assert "| gradient penalty, 1.95 | 0.900 / 0.800 / 0.700 | 3 |" in text
    assert "| gradient penalty, 195 | diverged / diverged / diverged |  |" in text
    assert "| no defense | 0.50 | 0.80 | 0.30 |" in text


def test_a_model_without_any_gradient_is_not_even():
    """All true-label gradients exactly zero: no spread in these, but in those for all labels."""

    def measures(defense):
        found = measures_as_the_paper_says(defense)
        if defense == "distillation":
            found["gradient_norms"][:, 0] = 0
            found["zero_gradient"][:] = True
        return found

    found = ross2018.checks([World(DEFENSES, as_the_paper_says, measures)] * 3)
    assert {each.verdict for each in found if each.claim in ("6b", "6c")} == {"holds"}


@pytest.mark.parametrize(
    ("share", "verdict"),
    [(0.9, "holds"), (0.5, "fails")],  # masked is what has more than half of its gradients zero
)
def test_a_masked_model_is_no_rival_in_white_box_accuracy(share, verdict):
    def measures(defense):
        found = measures_as_the_paper_says(defense)
        if defense == "distillation":
            found["zero_gradient"] = np.arange(IMAGES) < share * IMAGES
        return found

    def right(tested, source, eps, curve):
        if tested == source == "distillation":
            return 1.0  # FGSM returns the image
        return as_the_paper_says(tested, source, eps, curve)

    found = ross2018.checks([World(DEFENSES, right, measures)] * 3)
    (white_box,) = [each for each in found if each.claim == "4a"]
    assert white_box.verdict == verdict


def test_what_is_missing_is_named():
    world = World(("none",), as_the_paper_says, measures_as_the_paper_says)
    with pytest.raises(UsageError, match=r"'distillation'.*made_up"):
        ross2018.checks([world])
    world = World(DEFENSES, as_the_paper_says, measures_as_the_paper_says)
    world._values["fgsm"] = [0, 0.1]
    with pytest.raises(UsageError, match=r"curve fgsm of made_up lacks"):
        ross2018.checks([world])


def test_a_claim_that_needs_a_failed_model_is_undecided_and_says_why():
    """The others are as they were."""
    whole, partly = (
        [World(DEFENSES, as_the_paper_says, measures_as_the_paper_says) for _ in range(2)]
        for _ in range(2)
    )
    partly[1].lost = {"penalty_uniform"}
    pairs = list(zip(ross2018.checks(whole), ross2018.checks(partly), strict=True))
    undecided = [after for _, after in pairs if after.reason]
    assert {each.verdict for each in undecided} == {"undecided"}
    assert {each.value for each in undecided} == {None}
    assert "train penalty_uniform: RuntimeError: a | b" in undecided[0].measured
    assert all(before == after for before, after in pairs if not after.reason)
    # Claims of the penalised model alone, of the distilled one, and of training time.
    assert {after.claim for _, after in pairs if not after.reason} >= {"1", "3a", "5", "6b", "time"}
    assert r"a \| b" in markdown(undecided)
    tables = ross2018.tables(partly)
    assert "| gradient penalty, uniform | – / – / –" in tables
    assert "not measured: train penalty_uniform" in tables


BINARY = ("none", "squared", "logistic", "none_norm", "squared_norm", "logistic_norm")


def nar_measures(rank):
    def measures(defense):
        values = np.zeros(20)
        values[: rank if defense.startswith("none") else 15] = 3.0
        log_p = np.log(np.tile([0.9, 0.1], (IMAGES, 1)))
        return {
            "labels": np.zeros(IMAGES, np.int64),
            "log_probabilities": log_p,
            "singular_values_train": values,
            "margins_train": np.ones(IMAGES),
        }

    return measures


@pytest.mark.parametrize(("better", "rank"), [(True, 1), (False, 15)])
def test_differential_training_is_judged_by_shares_with_an_adversarial_example(better, rank):
    def right(tested, source, eps, curve):
        differential = not tested.startswith("none")
        robust = differential == better
        if curve == "transfer_test" and source != tested:
            return 0.9 if robust else 0.4
        return 0.9 if robust else 0.3

    worlds = [World(BINARY, right, nar_measures(rank)) for _ in range(3)]
    found = nar2019.checks(worlds)
    verdicts = {claim: {e.verdict for e in found if e.claim == claim} for claim in "abcd"}
    expected = "holds" if better else "fails"
    assert verdicts == {"a": {"holds"}, "b": {expected}, "c": {expected}, "d": {expected}}
    assert len([each for each in found if each.claim == "b"]) == 4 * 4
    assert "| squared |" in nar2019.tables(worlds)
    worlds[0].lost = {"squared"}
    partly = nar2019.checks(worlds)
    assert {e.statement.split(":")[0] for e in partly if e.reason} == {"squared"}
    assert [e for e in partly if not e.reason] == [
        e for e in found if not e.statement.startswith("squared:")
    ]
    assert "| squared | – | – | – | – | – / – |" in nar2019.tables(worlds)


def test_a_network_without_a_head_leaves_its_claim_unmeasured_with_the_reason():
    reason = "the network has no linear layer (nn.Linear) whose output is its logits"

    def measures(defense):
        found = nar_measures(1)(defense)
        if defense != "none":
            return found
        absent = ("singular_values_train", "margins_train")
        kept = {name: value for name, value in found.items() if name not in absent}
        return Measures(kept, dict.fromkeys(absent, reason))

    worlds = [World(BINARY, lambda *_: 0.5, measures)]
    found = [each for each in nar2019.checks(worlds) if each.claim == "c"]
    assert [each.measured for each in found][:1] == [f"not measured: {reason}"]
    assert found[0].verdict == "undecided"
    assert found[0].to_json()["reason"] == reason
    assert found[1].value is not None
    assert found[1].reason is None
    text = nar2019.tables(worlds)
    assert f"none, not measured: {reason}." in text.replace("no defense", "none")
    assert "| – | – |" in text
    assert "nan" not in text


def test_an_image_has_an_example_within_every_eps_from_its_smallest_disturbance_on():
    def right(tested, source, eps, curve):
        return 0.75

    world = World(BINARY, right, nar_measures(1))
    made = world.minimum_norm("linf_test", "none")
    norm = np.where(np.isfinite(made.norm), 0.04, made.norm)
    world.minimum_norm = lambda curve, defense: replace(made, norm=norm)
    (found,) = nar2019._within([world], "linf_test", "none")
    assert found.mean(1) == pytest.approx([0, 0, 0.25, 0.25, 0.25])


def test_the_tables_mark_who_is_doubted():
    world = World(DEFENSES, as_the_paper_says, measures_as_the_paper_says)
    text = ross2018.tables([world])
    assert "| distillation † |" in text
    assert "† gradients likely masked." in text
    assert "no defense †" not in text


def test_the_papers_are_found_by_name():
    assert papers() == {"nar2019": nar2019, "ross2018": ross2018}

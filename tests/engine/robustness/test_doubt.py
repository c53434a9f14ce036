"""Doubting robustness: each rule on answers made up, on both sides of its limit."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.robustness import doubt
from engine.robustness.doubt import (
    LEAKING,
    MASKED,
    ONE_STEP,
    STOCHASTIC,
    Ladder,
    examine,
    hides_gradients,
)

N = 200
EPS = [0.03, 0.1, 0.3, 1.0]
NO_ZEROS = np.zeros(N, dtype=bool)
FOOLED = -1


LABELS = np.arange(N) % 10


def answers(*accuracies):
    """Answers of which so many are right: the first ones, so that sets are nested.

    The wrong ones are of all classes, as those of a model that is not at chance.
    """
    wrong = (LABELS + 1 + np.arange(N) // 10) % 10
    wrong = np.where(wrong == LABELS, (LABELS + 1) % 10, wrong)
    return np.stack([np.where(np.arange(N) < round(a * N), LABELS, wrong) for a in accuracies])


def sound(**changes) -> Ladder:
    """What an honest, undefended model answers."""
    worst = answers(0.56, 0.16, 0.0, 0.0)
    ladder = Ladder(
        EPS,
        labels=LABELS,
        clean=answers(0.98)[0],
        noise=answers(0.97, 0.9, 0.5, 0.1),
        fgsm=answers(0.8, 0.5, 0.2, 0.1),
        fgsm_predicted=answers(0.8, 0.5, 0.2, 0.1),
        cross_entropy=answers(0.6, 0.2, 0.0, 0.0),
        margin=answers(0.58, 0.18, 0.0, 0.0),
        scaled=answers(0.62, 0.2, 0.0, 0.0),
        transferred={"other": answers(0.9, 0.8, 0.5, 0.2)},
        transferred_pgd={"other": answers(0.85, 0.7, 0.4, 0.2)},
        converged=answers(0.57, 0.17, 0.0, 0.0),
        strong=worst,
        strong_float=answers(0.5, 0.1, 0.0, 0.0),
        square=worst,
        random=np.zeros(N, dtype=bool),
    )
    return replace(ladder, **changes)


def found(ladder, zeros=NO_ZEROS, trained=True) -> dict[str, doubt.Doubt]:
    return {each.check: each for each in examine(ladder, zeros, one_step_trained=trained)}


def failed(ladder, zeros=NO_ZEROS, trained=True) -> dict[str, str]:
    checks = found(ladder, zeros, trained).values()
    return {each.check: each.reason for each in checks if each.state == "failed"}


def marks(ladder, zeros=NO_ZEROS, trained=True) -> set[str]:
    return set(doubt.summary(examine(ladder, zeros, one_step_trained=trained))["reasons"])


ALL = ("cross_entropy", "margin", "scaled", "converged", "strong", "square")
LATE = ("converged", "strong", "square")
FGSM = ("fgsm", "fgsm_predicted")
TWO = {"good": answers(0.9, 0.9, 0.9, 0.9), "bad": answers(0.9, 0.0, 0.5, 0.2)}


def test_a_sound_model_is_not_doubted():
    checks = found(sound())
    assert {each.state for each in checks.values()} == {"passed"}
    assert marks(sound()) == set()


@pytest.mark.parametrize(
    ("check", "reason", "changes"),
    [
        ("full range", MASKED, dict.fromkeys(ALL, answers(0.6, 0.2, 0.1, 0.05))),
        ("falls with ε", MASKED, dict.fromkeys(ALL, answers(0.2, 0.5, 0.0, 0.0))),
        ("iterated beats one step", MASKED, dict.fromkeys(FGSM, answers(0.4, 0.1, 0.0, 0.0))),
        ("white box beats transfer", MASKED, {"transferred": TWO}),
        ("white box beats transfer", MASKED, {"transferred_pgd": TWO}),
        ("attack beats noise", MASKED, {"noise": answers(0.4, 0.9, 0.5, 0.1)}),
        ("logits scaled", MASKED, {"scaled": answers(0.4, 0.1, 0.0, 0.0)}),
        ("gradients beat a blind search", MASKED, {"square": answers(0.4, 0.1, 0.0, 0.0)}),
        ("FGSM sees no label", LEAKING, {"fgsm_predicted": answers(0.6, 0.5, 0.2, 0.1)}),
        ("FGSM does not help", LEAKING, {"clean": answers(0.7)[0]}),
        ("one step is not all", ONE_STEP, dict.fromkeys(FGSM, answers(0.95, 0.9, 0.95, 0.9))),
        ("answers do not vary", STOCHASTIC, {"random": np.arange(N) == 3}),
    ],
)
def test_each_broken_rung_is_found_and_named(check, reason, changes):
    assert failed(sound(**changes)).get(check) == reason


@pytest.mark.parametrize(
    ("check", "changes", "beyond", "within"),
    [
        # Of 200 images 11 (.055) are the least whose whole interval is above .02, 18 of .05.
        ("iterated beats one step", "fgsm", 0.18 - 0.055, 0.18 - 0.05),
        ("attack beats noise", "noise", 0.18 - 0.055, 0.18 - 0.05),
        ("gradients beat a blind search", "square", 0.16 - 0.055, 0.16 - 0.05),
        ("logits scaled", "scaled", 0.2 - 0.09, 0.2 - 0.085),
    ],
)
def test_a_break_is_seen_from_the_smallest_that_is_told_on(check, changes, beyond, within):
    def at(share):
        rungs = getattr(sound(), changes).copy()
        rungs[1] = answers(share)[0]
        return found(sound(**{changes: rungs}))[check]

    seen, unseen = at(beyond), at(within)
    assert (seen.state, unseen.state) == ("failed", "passed")
    assert seen.value == pytest.approx(seen.smallest)
    assert unseen.value < unseen.smallest
    assert seen.eps == 0.1
    assert seen.n == N


@pytest.mark.parametrize(
    ("check", "reason", "changes"),
    [
        (
            "cross-entropy keeps up",
            "a loss is weak here",
            dict.fromkeys(("cross_entropy", "scaled"), answers(0.9, 0.2, 0, 0)),
        ),
        ("margin keeps up", "a loss is weak here", {"margin": answers(0.7, 0.4, 0.0, 0.0)}),
        ("steps suffice", "PGD is too weak here", dict.fromkeys(LATE, answers(0.4, 0.05, 0, 0))),
        (
            "PGD is near the strongest attack",
            "PGD is too weak here",
            dict.fromkeys(("strong", "square"), answers(0.4, 0.05, 0.0, 0.0)),
        ),
    ],
)
def test_what_tells_of_an_attack_is_noted_and_no_mark(check, reason, changes):
    ladder = sound(**changes)
    assert marks(ladder) == set()
    assert found(ladder)[check].state == "noted"
    assert reason in doubt.summary(examine(ladder, NO_ZEROS))["notes"]


def test_a_weak_loss_is_masking_when_scaled_logits_find_more():
    weak = sound(cross_entropy=answers(0.9, 0.8, 0.6, 0.0))
    assert marks(weak) == {MASKED}
    assert found(weak)["logits scaled"].state == "failed"


def test_zero_gradients_are_masking_when_most_are():
    few, most = NO_ZEROS.copy(), NO_ZEROS.copy()
    few[: N // 2] = True
    most[: N // 2 + 1] = True
    assert failed(sound(), few) == {}
    assert failed(sound(), most) == {"zero gradients": MASKED}
    assert not hides_gradients(few.mean())
    assert hides_gradients(most.mean())


def one_step(fgsm, worst):
    rungs = dict.fromkeys(FGSM, answers(0.9, fgsm, 0.6, 0.1))
    left = answers(0.8, worst, 0.0, 0.0)
    return sound(clean=answers(1.0)[0], **rungs, **dict.fromkeys(ALL, left))


@pytest.mark.parametrize(
    ("fgsm", "worst", "state"),
    [
        (0.85, 0.1, "failed"),
        (0.845, 0.1, "passed"),
        (0.9, 0.105, "passed"),  # at this eps it is not asked; at the next FGSM keeps too little
    ],
)
def test_one_step_only_is_much_under_fgsm_where_nothing_is_left(fgsm, worst, state):
    check = found(one_step(fgsm, worst))["one step is not all"]
    assert check.state == state
    assert (check.limit, check.smallest) == (0.85, 0.85)


def test_one_step_only_needs_images_enough():
    """With 20 images .9 is not surely above .8."""
    few = {
        each.name: getattr(one_step(0.9, 0.0), each.name)
        for each in fields(Ladder)
        if each.name not in ("eps", "draws", "transferred", "transferred_pgd")
    }
    few = {name: value[..., np.r_[:18, 190:192]] for name, value in few.items()}
    few["fgsm"] = np.where(np.arange(20) < 18, few["labels"], few["fgsm"])
    assert found(Ladder(EPS, **few))["one step is not all"].state == "passed"


def test_one_step_only_is_not_said_of_a_masked_model():
    most = np.arange(N) < 150
    check = found(one_step(0.95, 0.0), most)["one step is not all"]
    assert (check.state, check.value) == ("skipped", None)
    assert marks(one_step(0.95, 0.0), most) == {MASKED}


def test_at_no_eps_can_one_step_be_all_where_the_worst_case_leaves_much():
    robust = dict.fromkeys(ALL, answers(0.9, 0.6, 0.3, 0.0))
    assert found(sound(**robust))["one step is not all"].state == "skipped"


def test_no_label_leaks_where_none_was_shown():
    leaking = sound(fgsm_predicted=answers(0.6, 0.5, 0.2, 0.1), clean=answers(0.7)[0])
    assert marks(leaking, trained=True) == {LEAKING}
    assert marks(leaking, trained=False) == set()
    skipped = found(leaking, trained=False)["FGSM sees no label"]
    assert (skipped.state, skipped.value) == ("skipped", None)
    assert "no label could leak" in skipped.why
    # Nobody knows what an adopted network was shown.
    assert marks(leaking, trained=None) == {LEAKING}
    assert "not known" in found(leaking, trained=None)["FGSM sees no label"].why


def test_rising_with_eps_is_no_leak():
    """One step of a large eps overshoots: the accuracy returns to chance, with either label."""
    overshot = {**dict.fromkeys(FGSM, answers(0.0, 0.0, 0.15, 0.1))}
    low = dict.fromkeys(ALL, answers(0.0, 0.0, 0.0, 0.0))
    assert marks(sound(**overshot, **low)) == set()


def test_no_order_follows_where_both_are_at_chance():
    """One answer for all images: the accuracies are those of its class."""
    constant = np.full(N, 3)
    labels = np.where(np.arange(N) < 30, 3, (LABELS + 4) % 10)  # .15 and .1 of the images
    same = replace(sound(), labels=np.where(labels == 3, 3, labels))
    assert same.at_chance(constant)
    noise, attacked = (np.tile(np.full(N, label), (4, 1)) for label in (7, 3))
    found_ = found(sound(noise=noise, **dict.fromkeys((*ALL, *FGSM), attacked)), trained=False)
    assert found_["attack beats noise"].state == "skipped"
    assert "chance" in found_["attack beats noise"].why
    # Where one is not, the order counts.
    better = sound(noise=noise, **dict.fromkeys((*ALL, *FGSM), answers(0.9, 0.9, 0.9, 0.0)))
    assert found(better)["attack beats noise"].state == "failed"


def test_no_order_follows_from_full_range():
    """There the picture is gone, and whatever is answered is right by chance or not."""
    gone = sound(
        noise=answers(0.97, 0.9, 0.5, 0.0), **dict.fromkeys(ALL, answers(0.6, 0.2, 0, 0.3))
    )
    assert failed(gone) == {"full range": MASKED}
    only = {
        each.name: getattr(sound(), each.name)[-1:]
        for each in fields(Ladder)
        if each.name in (*ALL, *FGSM, "noise", "strong_float")
    }
    one = sound(eps=[1.0], transferred={}, transferred_pgd={}, **only)
    assert found(one)["attack beats noise"].why == "no order follows from ε = 1"


def test_chance_is_no_reason_to_doubt():
    """One image in two hundred that a weaker attack fools and a stronger one does not."""
    transferred = answers(0.9, 0.8, 0.5, 0.2)
    transferred[1, 0] = 1
    assert failed(sound(transferred={"other": transferred})) == {}


@settings(max_examples=6)
@given(st.data())
def test_a_stronger_white_box_never_brings_new_doubt_of_its_strength(data):
    """Fooling more images with both losses cannot break the order that they should win."""
    half = answers(0.9, 0.6, 0.4, 0.1)
    before = sound(margin=half, cross_entropy=half, transferred_pgd={})
    more = np.array(data.draw(st.lists(st.booleans(), min_size=N, max_size=N)))
    after = replace(
        before,
        margin=np.where(more, FOOLED, before.margin),
        cross_entropy=np.where(more, FOOLED, before.cross_entropy),
    )
    of_strength = {"iterated beats one step", "white box beats transfer", "attack beats noise"}
    assert failed(after).keys() & of_strength <= failed(before).keys() & of_strength


def test_what_cannot_be_tested_is_skipped_and_says_why():
    """A ladder of an earlier version, of a single model, at a single eps."""
    one = {name: getattr(sound(), name)[:1] for name in ("noise", *ALL[:3], *FGSM)}
    old = Ladder([0.1], labels=LABELS, clean=sound().clean, **one)
    skipped = {name: each for name, each in found(old).items() if each.state == "skipped"}
    assert set(skipped) == {
        "full range", "falls with ε", "white box beats transfer", "gradients beat a blind search",
        "one step is not all", "answers do not vary", "steps suffice",
        "PGD is near the strongest attack",
    }  # fmt: skip
    assert all(each.why and each.value is None for each in skipped.values())
    assert skipped["full range"].why == "the ladder ends at ε = 0.1"
    assert marks(old) == set()
    assert old.worst_case_float is None


def test_the_worst_case_is_the_worst_of_all_that_is_made_for_the_model():
    one = answers(0.9, 0.9, 0.9, 0.9)
    rungs = {name: one.copy() for name in (*ALL, "fgsm")}
    for place, name in enumerate(rungs):
        rungs[name][0, place] = LABELS[place] - 1
    ladder = sound(**rungs)
    assert not ladder.worst_case[0, : len(rungs)].any()
    assert ladder.worst_case[0].sum() == 180 - len(rungs)
    ladder.strong_float[0, 20] = -1
    assert ladder.worst_case_float[0].sum() < ladder.worst_case[0].sum()


def test_marks_and_their_legend():
    assert doubt.marked("None", []) == "None"
    assert doubt.marked("Distillation", [LEAKING, MASKED]) == "Distillation †‡"
    assert doubt.marked("Noise", [STOCHASTIC, ONE_STEP]) == "Noise §¶"
    assert doubt.legend([]) == ""
    assert doubt.legend([LEAKING]) == "‡ label leaking."
    assert doubt.legend([STOCHASTIC, ONE_STEP]) == "§ one step only. ¶ stochastic."

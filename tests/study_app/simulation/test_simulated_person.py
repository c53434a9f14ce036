"""What simulated people do with a plan, in memory: as often as their parameters say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from engine import results
from study_app import study as studies
from study_app.design.study_design import design
from study_app.simulation.chance import normal, uniform
from study_app.simulation.in_memory import Everything, take_part
from study_app.simulation.rater_file import Deviations, Model, Raters
from study_app.simulation.simulated_person import SimulatedPerson
from study_app.simulation.truth import Truth


@pytest.fixture(scope="module")
def drawn(simulated_store):
    study = studies.load("demo")
    return study, design(study, results.find(simulated_store, "demo"))


def people_of(raters, drawn, count, seed=1):
    study, made = drawn
    everything = Everything(study, made.document, made.stimuli, raters, seed)
    return list(take_part(everything, count))


def truth_of(raters, took, study, seed=1):
    truth = Truth(raters, seed)
    for one in took:
        truth.add(one.person, one.arm, one.plan, one.done)
    return {(share.outcome, share.condition): share for share in truth.shares(study)}


def could_be(hits, of, share):
    """Whether so many hits are what chance makes of a share, in all but one of 10 000 cases."""
    return binom.ppf(5e-5, of, share) <= hits <= binom.ppf(1 - 5e-5, of, share)


def people(raters, count=400, seed=1):
    return [SimulatedPerson(raters, seed, number, "en") for number in range(1, count + 1)]


def test_numbers_drawn_by_name_are_of_their_distributions():
    drawn = np.array([normal(1, "a", n) for n in range(4000)])
    assert abs(drawn.mean()) < 0.065
    assert 0.95 < drawn.std() < 1.05
    assert normal(1, "a", 7) == drawn[7] != normal(2, "a", 7)
    assert all(0 < uniform(1, "b", n) < 1 for n in range(1000))


def test_answers_are_a_yes_as_often_as_the_model_says(drawn):
    alike = Deviations(person=0, image=0, person_condition=0, image_condition=0)
    model = {"conditions": {"none": 0.8, "clean": 0.1}, "share": 0.4, "deviations": alike}
    raters = Raters(title="Alike", outcomes={"said_plausible": model}, lapse=0.2)
    took = people_of(raters, drawn, 40)
    truth = truth_of(raters, took, drawn[0])
    for condition, share in {"none": 0.8, "clean": 0.1, "noise": 0.4}.items():
        found = truth["said_plausible", condition]
        expected = 0.8 * share + 0.2 * 0.5
        assert found.share == pytest.approx(expected)
        assert found.share_of_images == pytest.approx(expected)
        assert found.answered == found.asked == 40 * (4 if condition == "none" else 2)
        assert could_be(found.yes, found.answered, expected)
    # One of 11 answers is the target, and the lapses of `label_nafc` are drawn from all.
    assert truth["chose_target", "none"].share == pytest.approx(0.8 * 0.5 + 0.2 / 11)


def test_the_truth_of_the_images_used_is_that_of_the_images(drawn):
    # People alike, images not: what is found agrees with the images that were used.
    model = Model(share=0.5, deviations={"person": 0, "person_condition": 0, "image": 2.0})
    raters = Raters(title="A", outcomes={"said_plausible": model}, lapse=0.0)
    took = people_of(raters, drawn, 40)
    truth = truth_of(raters, took, drawn[0])
    apart = []
    for condition in ("none", "gradient_penalty", "adversarial_training", "distillation"):
        found = truth["said_plausible", condition]
        assert found.share == pytest.approx(0.5)
        assert found.images == 40
        assert abs(found.yes / found.answered - found.share_of_images) < 4 * np.sqrt(0.2 / 160)
        apart.append(abs(found.share_of_images - found.share))
    assert max(apart) > 0.02


def test_known_answers_are_right_and_lapses_are_not(drawn):
    (one,) = people_of(Raters(title="A", lapse=0.0), drawn, 1)
    known = [a for a in one.done.answers if a.question.trial.correct_option is not None]
    assert len(known) == 12  # 2 of practice and 4 catch presentations, two questions each
    assert all(a.answer == a.question.trial.correct_option and a.why == "known" for a in known)
    careless = people_of(Raters(title="A", inattentive=1.0), drawn, 4)
    labels = [
        a.answer == a.question.trial.correct_option
        for each in careless
        for a in each.done.answers
        if a.question.trial.task == "label_nafc" and a.question.trial.correct_option is not None
    ]
    assert could_be(sum(labels), len(labels), 1 / 11)
    assert {a.why for each in careless for a in each.done.answers} == {"guess"}


def test_who_straight_lines_gives_the_answer_at_one_place(drawn):
    for one in people_of(Raters(title="A", straight_lining=1.0), drawn, 3):
        plausible = {
            a.answer for a in one.done.answers if a.question.trial.task == "target_plausible"
        }
        assert len(plausible) == 1


@pytest.mark.parametrize(
    ("what", "has"),
    [
        ("inattentive", lambda person: person.kind == "inattentive"),
        ("straight_lining", lambda person: person.kind == "straight_lines"),
        ("fails_screening", lambda person: person.fails_screening),
        ("fails_comprehension", lambda person: person.fails_comprehension),
        ("withdraws", lambda person: person.withdraws),
        ("second_tab", lambda person: person.second_tab),
        ("phones", lambda person: person.has_phone),
    ],
)
def test_so_many_people_are_so(what, has):
    found = sum(map(has, people(Raters(title="A", **{what: 0.3}))))
    assert could_be(found, 400, 0.3)
    assert not any(map(has, people(Raters(title="A", **{what: 0.0}), 50)))


def test_people_speak_the_languages_asked_for():
    spoken = [p.language for p in people(Raters(title="A", languages={"de": 3, "en": 1}))]
    assert could_be(spoken.count("de"), 400, 0.75)
    assert {p.language for p in people(Raters(title="A"), 20)} == {"en"}


def test_people_drop_out_by_their_hazard_and_by_what_they_say(drawn):
    rule = {"hazard": 0.05, "by_person": 1.0}
    took = people_of(Raters(title="A", drop_out=rule), drawn, 60)
    stays = [not one.done.drops_out for one in took]
    z = np.array([one.person.deviation for one in took])
    expected = (1 - 0.05) ** (25 * np.exp(z))  # before each presentation but the first of 26
    assert abs(sum(stays) - expected.sum()) < 4 * np.sqrt((expected * (1 - expected)).sum())
    assert z[stays].mean() < z[np.logical_not(stays)].mean() - 0.3
    for one in took:
        last = one.done.answers[-1].question
        assert one.done.drops_out == (last.index < 25)
        assert len(one.done.answers) == 2 * (1 + last.index)  # no presentation is left half-way


def test_reaction_times_are_log_normal(drawn):
    times = {"median_ms": 1000, "spread": 0.3, "people": 0.4, "too_fast": 0.1}
    took = people_of(Raters(title="A", times=times), drawn, 40)
    fast = [a for one in took for a in one.done.answers if a.why == "too_fast"]
    logs = [np.log([a.rt_ms for a in one.done.answers if a.why != "too_fast"]) for one in took]
    assert could_be(len(fast), 40 * 52, 0.1)
    assert all(a.rt_ms <= 180 for a in fast)
    medians = np.array([each.mean() for each in logs])
    assert abs(medians.mean() - np.log(1000)) < 4 * 0.4 / np.sqrt(40)
    assert 0.27 < medians.std() < 0.55
    assert np.mean([each.std() for each in logs]) == pytest.approx(0.3, abs=0.02)

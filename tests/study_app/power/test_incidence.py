"""Who sees what in a simulated study is what the plans of the design say."""

from collections import Counter

import numpy as np
import pytest

from engine import results
from study_app import exclusions, study
from study_app.design import participant_plan, study_design
from study_app.power import Losses, incidence

NOTHING_LOST = Losses({})


def seen(plan):
    """By person what they see: (arm, condition, image) as often as it is there."""
    rows = zip(plan.person, plan.arm, plan.condition, plan.image, strict=True)
    people = {}
    for person, arm, condition, image in rows:
        key = (plan.arms[arm], plan.conditions[condition], image)
        people.setdefault(person, Counter())[key] += 1
    return people


@pytest.mark.parametrize("name", ["demo", "zhou-firestone2019"])
def test_it_is_the_published_plan(store, name):
    declared = study.load(name)
    run = results.find(store, declared.experiment)
    document = study_design.design(declared, run).document
    slots = participant_plan.slots(document)
    drawn = Counter()
    for arm, number in slots:
        plan = participant_plan.draw(document, arm, number, seed=number)
        facts = [(p.condition, document["facts"][p.stimulus_id]) for p in plan if p.role == "main"]
        shown = Counter((arm, label, fact["source"]["image_id"]) for label, fact in facts)
        drawn[frozenset(shown.items())] += 1
    sources = study_design.sources(declared, run)
    whole = incidence.draw(declared, len(slots), NOTHING_LOST, 0, sources)
    by_number = [run.source.image_ids[index] for index in whole.names]
    mine = Counter(
        frozenset(Counter({(a, c, by_number[i]): n for (a, c, i), n in one.items()}).items())
        for one in seen(whole).values()
    )
    assert mine == drawn
    assert whole.images == incidence.images_per_set(declared) * declared.image_sets


def test_without_an_experiment_the_places_stand_for_images():
    declared = incidence.with_sets(study.load("demo"), 3)
    plan = incidence.draw(declared, 60, NOTHING_LOST, 0)
    assert (plan.people, plan.analysed, plan.images) == (60, 60, 60)
    assert len(plan.person) == 60 * 20
    # Every image is in every condition, in proportion to its presentations.
    by_condition = np.array([
        np.bincount(plan.image[plan.condition == n], minlength=60)
        for n in range(len(plan.conditions))
    ])  # fmt: skip
    presentations = [c.presentations for c in declared.conditions.values()]
    assert (by_condition == np.array(presentations)[:, None]).all()


def test_people_are_spread_over_arms_and_lists():
    declared = study.load("nguyen2021")
    plan = incidence.draw(declared, 46, NOTHING_LOST, 1)
    people = Counter(next(iter(one))[0] for one in seen(plan).values())
    assert set(people) == {"plain", "map", "placebo"}
    assert people.total() == 46
    lists = declared.lists("map")
    assert max(people.values()) - min(people.values()) <= lists
    # Arms with the same needs see the same images.
    images = [set(plan.image[plan.arm == n]) for n in range(3)]
    assert images[0] == images[1] == images[2]


def test_who_is_excluded_gives_nothing_and_who_leaves_gives_a_part():
    declared = study.load("demo")
    plan = incidence.draw(declared, 400, Losses({"all": 0.25}, left=0.4), 2)
    given = np.bincount(plan.person, minlength=400)
    assert plan.analysed == np.count_nonzero(given)
    whole, part = (given == 20).sum(), ((given > 0) & (given < 20)).sum()
    assert whole / 400 == pytest.approx(0.75 * 0.6, abs=0.08)
    assert part / 400 == pytest.approx(0.75 * 0.4 * 0.95, abs=0.08)
    rules = (*declared.exclusions, exclusions.create("incomplete"))
    strict = declared.model_copy(update={"exclusions": rules})
    complete = incidence.draw(strict, 400, Losses({}, left=0.4), 2)
    assert set(np.bincount(complete.person, minlength=400)) == {0, 20}

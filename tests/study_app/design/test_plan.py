"""The design is balanced, and every plan keeps its promises whatever the seed."""

import json
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import experiment, protocols

from db import repository
from db.session import Database
from engine.artifacts import ArtifactStore
from engine.errors import UsageError
from engine.experiments import experiment_file
from study_app import study
from study_app.design import participant_plan, publish
from study_app.design.study_design import PICTURE_SIZES, Design
from study_app.design.study_design import design as draw_design
from study_app.study import Condition, wording

STUDY = study.load("demo")
SHIPPED = sorted(path.stem for path in study.BUILT_IN.glob("*.yaml"))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    store = ArtifactStore(tmp_path_factory.mktemp("artifacts"))
    return {"demo": experiment(store), "protocols": protocols(store)}


@pytest.fixture(scope="module")
def design(results):
    return draw_design(STUDY, results["demo"])


@pytest.fixture(scope="module")
def designs(results):
    """Every shipped study with its design, the document as it comes back from the database."""
    made = {}
    for name in SHIPPED:
        loaded = study.load(name)
        drawn = draw_design(loaded, results[loaded.experiment])
        stored = json.loads(json.dumps(drawn.document, sort_keys=True))
        made[name] = (loaded, drawn, stored)
    return made


def image(design, stimulus_id):
    return design.stimuli[stimulus_id].image_id


def shown(presentation):
    return (presentation.stimulus_id, *presentation.further)


def test_the_design_is_the_same_each_time(design, tmp_path):
    again = draw_design(STUDY, experiment(ArtifactStore(tmp_path)))
    assert again.document["arms"] == design.document["arms"]


def test_lists_are_a_latin_square_of_source_and_condition(design):
    lists = design.document["arms"]["all"]["lists"]
    assert len(lists) == STUDY.lists("all") == 20
    seen = Counter()
    for entries in lists:
        assert Counter(e["condition"] for e in entries) == {
            label: condition.presentations for label, condition in STUDY.conditions.items()
        }
        assert len({image(design, *e["pictures"]) for e in entries}) == 20
        seen.update((image(design, *e["pictures"]), e["condition"]) for e in entries)
    # Two sets of images: the lists of one show none of the other.
    assert len({image_id for image_id, _ in seen}) == 40
    assert len({image(design, *e["pictures"]) for entries in lists[:10] for e in entries}) == 20
    assert len(seen) == 40 * len(STUDY.conditions)
    for (_, condition), count in seen.items():
        assert count == STUDY.conditions[condition].presentations / 2
    for entries in lists:
        facts = [design.document["facts"][e["pictures"][0]] for e in entries]
        assert set(Counter(fact["true_label"] for fact in facts).values()) == {2}
    # A condition's images are others in every list: none go together in all of them.
    where = [{image(design, *e["pictures"]): e["condition"] for e in each} for each in lists[:10]]
    met = Counter(
        pair for each in where for pair in combinations(sorted(each), 2)
        if each[pair[0]] == each[pair[1]]
    )  # fmt: skip
    assert max(met.values()) <= 4


def test_conditions_show_what_they_say(design, results):
    aimed = results["demo"].examples("none", "pgd").target
    for entries in design.document["arms"]["all"]["lists"]:
        for entry in entries:
            (stimulus_id,) = entry["pictures"]
            passport = design.stimuli[stimulus_id].passport
            wanted = STUDY.conditions[entry["condition"]]
            assert passport["kind"] == {
                "mistake": "adversarial", "control": "control", "clean": "clean"
            }[wanted.show]  # fmt: skip
            assert passport["defense"] == wanted.defense
            if wanted.show == "mistake":
                assert passport["prediction"]["label"] == passport["target"]
                assert passport["target"] != passport["true_label"]
            # Every condition shows the same label for the same source: rates can be compared.
            assert entry["shown_label"] == aimed[passport["source"]["index"]]


@given(seed=st.integers(0, 2**63 - 1), list_index=st.integers(0, 19))
def test_every_plan_of_the_demo_keeps_its_promises(design, seed, list_index):
    drawn = participant_plan.draw(design.document, "all", list_index, seed)
    assert len(drawn) == 26
    assert len({image(design, p.stimulus_id) for p in drawn}) == 26
    assert [p.phase for p in drawn[:3]] == ["practice", "practice", "main"]
    assert drawn[2].role == "main"
    assert [p.block for p in drawn] == [0, 0, *[1] * 24]
    assert Counter(p.role for p in drawn) == {"practice": 2, "main": 20, "catch": 4}
    for presentation in drawn:
        label, plausible = presentation.trials
        passport = design.stimuli[presentation.stimulus_id].passport
        assert (label.task, plausible.task) == ("label_nafc", "target_plausible")
        assert [o["value"] for o in label.view["options"]] == [*"0123456789", "cant_tell"]
        assert plausible.shown_label in plausible.view["prompt"]
        if presentation.role == "main":
            assert label.correct_option is plausible.correct_option is None
        else:
            assert label.correct_option == str(passport["true_label"])
            honest = plausible.shown_label == str(passport["true_label"])
            assert plausible.correct_option == ("yes" if honest else "no")
            assert plausible.foil_policy == ("true_label" if honest else "impossible")
            foils = STUDY.impossible[passport["true_label"]]
            assert honest or int(plausible.shown_label) in foils
    catch = [p.trials[1].correct_option for p in drawn if p.role == "catch"]
    assert Counter(catch) == {"yes": 2, "no": 2}
    assert drawn == participant_plan.draw(design.document, "all", list_index, seed)


def test_practice_does_not_always_begin_with_a_right_label(design):
    begins = Counter(
        participant_plan.draw(design.document, "all", 0, seed)[0].trials[1].correct_option
        for seed in range(40)
    )
    assert min(begins["yes"], begins["no"]) > 5


def test_orders_differ_between_people(design):
    orders = {
        tuple(p.stimulus_id for p in participant_plan.draw(design.document, "all", 0, seed))
        for seed in range(20)
    }
    assert len(orders) == 20


def test_a_plan_speaks_the_participants_language(design):
    german = wording(STUDY, "de")
    own, other = (
        participant_plan.draw(design.document, "all", 3, 7, wording=w) for w in (None, german)
    )
    assert [p.stimulus_id for p in own] == [p.stimulus_id for p in other]
    label, plausible = other[0].trials
    assert label.view["prompt"] == "Welche Ziffer passt am besten zu diesem Bild?"
    assert [o["label"] for o in plausible.view["options"]] == ["Ja", "Nein"]
    assert [o["value"] for o in plausible.view["options"]] == ["yes", "no"]


def test_too_few_images_are_refused_with_the_attrition(results):
    with pytest.raises(UsageError, match=r"needs 70 source images for practice and catch.* has 60"):
        draw_design(STUDY.model_copy(update={"practice": 20, "catch": 50}), results["demo"])
    conditions = {
        label: condition.model_copy(update={"presentations": 20})
        for label, condition in STUDY.conditions.items()
    }
    with pytest.raises(
        UsageError, match=r"needs 240 source images that none, .*has 54\..*: 60 attempted"
    ) as refused:
        draw_design(STUDY.model_copy(update={"conditions": conditions}), results["demo"])
    said = str(refused.value)
    assert "none x pgd: 60 attempted, 60 succeeded, 0 rounded away, 60 usable" in said
    assert "Images that each condition can show: none 60, " in said
    assert not set("{}[]") & set(said)


def test_labels_that_are_missing_or_beyond_the_classes_are_refused(results):
    few = {label: foils for label, foils in STUDY.impossible.items() if label != 4}
    with pytest.raises(UsageError, match="impossible lacks labels for 4"):
        draw_design(STUDY.model_copy(update={"impossible": few}), results["demo"])
    beyond = {**STUDY.impossible, 3: (10,)}
    with pytest.raises(UsageError, match=r"impossible names class 10; .* 10 classes"):
        draw_design(STUDY.model_copy(update={"impossible": beyond}), results["demo"])


@pytest.mark.parametrize("name", SHIPPED)
def test_the_experiment_of_a_shipped_study_makes_what_it_shows(name):
    loaded = study.load(name)
    made = experiment_file.load(loaded.experiment)
    for condition in loaded.conditions.values():
        for picture in condition.shown_pictures:
            assert picture.defense in {None, *made.defenses}
            assert picture.attack in {None, *made.attacks}
            assert picture.method in {None, *made.saliency}
            assert picture.of in {"clean", *made.attacks}
            if picture.attack:
                control = made.attacks[picture.attack].attack.control
                assert control == (picture.show == "control")


def test_every_shipped_study_is_published_and_drawn_from_what_was_stored(designs, tmp_path):
    store = ArtifactStore(tmp_path / "artifacts")
    experiment(store)
    protocols(store)
    database = Database(tmp_path / "study.db")
    database.upgrade()
    for name, (loaded, drawn, _) in designs.items():
        version = publish.publish(loaded, store, database)
        assert (version.name, version.status, version.version) == (name, "live", 1)
        assert publish.publish(loaded, store, database).version == 1
        for arm, number in participant_plan.slots(version.design):
            stored, own = (
                participant_plan.draw(d, arm, number, 11) for d in (version.design, drawn.document)
            )
            assert stored == own
        with database.read() as s:
            held = {x.stimulus_id for x in repository.stimuli_of(s, version.id)}
        assert held == set(drawn.stimuli)
    database.close()


def test_a_study_keeps_the_sizes_of_its_pictures_until_something_else_changes(design, tmp_path):
    # As a program stored it that did not note by which rules pictures are sized.
    document = {key: value for key, value in design.document.items() if key != "picture_sizes"}
    before = Design(design.stimuli, document)
    store = ArtifactStore(tmp_path / "artifacts")
    database = Database(tmp_path / "study.db")
    database.upgrade()

    def published(study, drawn):
        version = publish.publish(study, store, database, drawn)
        (arm, number), *_ = participant_plan.slots(version.design)
        plan = participant_plan.draw(version.design, arm, number, 1)
        sizes = {trial.view.get("picture_sizes") for one in plan for trial in one.trials}
        return version.version, version.design.get("picture_sizes"), sizes

    assert published(STUDY, before) == (1, None, {None})
    assert published(STUDY, design) == (1, None, {None})
    renamed = STUDY.model_copy(update={"title": "Another title"})
    now = PICTURE_SIZES
    assert published(renamed, design) == (2, now, {now})
    assert published(renamed, design) == (2, now, {now})
    database.close()


@pytest.mark.parametrize("name", SHIPPED)
def test_lists_of_a_shipped_study_rotate_within_their_groups(designs, name):
    loaded, drawn, stored = designs[name]
    for arm, part in stored["arms"].items():
        assert len(part["lists"]) == loaded.lists(arm)
        for group in loaded.groups(arm):
            wanted = {label: loaded.conditions[label].presentations for label in group}
            seen = Counter()
            for entries in part["lists"]:
                own = [e for e in entries if e["condition"] in group]
                assert Counter(e["condition"] for e in own) == wanted
                seen.update((image(drawn, e["pictures"][0]), e["condition"]) for e in own)
            sources = {source for source, _ in seen}
            assert len(sources) == sum(wanted.values()) * loaded.image_sets
            for (_, label), count in seen.items():
                assert count * len(sources) == wanted[label] * len(part["lists"])
            assert len(seen) == len(sources) * len(group)


@pytest.mark.parametrize("name", SHIPPED)
def test_arms_that_are_built_alike_show_the_same_sources(designs, name):
    _, drawn, stored = designs[name]
    for phase in ("lists", "learning"):
        sources = {
            frozenset(
                image(drawn, e["pictures"][0])
                for entries in (part["lists"] if phase == "lists" else [part[phase]])
                for e in entries
            )
            for part in stored["arms"].values()
        }
        assert len(sources) == 1


@pytest.mark.parametrize("name", SHIPPED)
@settings(max_examples=30)
@given(seed=st.integers(0, 2**63 - 1), data=st.data())
def test_every_plan_of_a_shipped_study_keeps_its_promises(designs, name, seed, data):
    loaded, drawn, stored = designs[name]
    arm, list_index = data.draw(st.sampled_from(participant_plan.slots(stored)))
    planned = participant_plan.draw(stored, arm, list_index, seed)
    assert planned == participant_plan.draw(stored, arm, list_index, seed)
    learning = loaded.presentations(arm, "practice")
    roles = Counter(p.role for p in planned)
    assert roles["practice"] == loaded.practice + learning
    assert roles["main"] == loaded.presentations(arm)
    assert roles["catch"] in (0, loaded.catch)
    assert [p.role for p in planned[: roles["practice"]]] == ["practice"] * roles["practice"]

    # No source image twice, whatever it is shown as; within a presentation all are of one source,
    # except for the undisturbed pairs of which one has the right class.
    sources = [{image(drawn, i) for i in shown(p)} for p in planned]
    assert sum(map(len, sources)) == len(set().union(*sources))
    for presentation, own in zip(planned, sources, strict=True):
        assert len(own) == 1 or presentation.role != "main"

    after = [p for p in planned if p.phase == "main"]
    every = loaded.breaks.every if loaded.breaks else len(after)
    assert [p.block for p in after] == [1 + n // every for n in range(len(after))]
    for presentation in planned:
        assert presentation.block == 0 or presentation.phase == "main"
        for trial in presentation.trials:
            if presentation.role == "main":
                assert trial.correct_option is None
            if "label" in trial.view["prompt"]:
                assert "{label}" not in trial.view["prompt"]
        if presentation.role == "catch":
            assert any(trial.correct_option is not None for trial in presentation.trials)
            assert all(stored["facts"][i]["kind"] in ("clean", "map") for i in shown(presentation))
        if presentation.role == "main":
            condition = loaded.conditions[presentation.condition]
            kinds = sorted(stored["facts"][i]["kind"] for i in shown(presentation))
            assert kinds == sorted(
                {"mistake": "adversarial", "placebo": "map"}.get(p.show, p.show)
                for p in condition.shown_pictures
            )


@pytest.mark.parametrize("name", SHIPPED)
def test_places_of_pictures_and_choices_are_balanced_within_a_person(designs, name):
    loaded, _, stored = designs[name]
    for arm, seed in [(arm, seed) for arm in stored["arms"] for seed in range(3)]:
        placed, right = Counter(), Counter()
        declared = {tuple(sorted(e["pictures"])): e for e in stored["arms"][arm]["lists"][0]}
        planned = participant_plan.draw(stored, arm, 0, seed)
        for one in planned:
            several = shown(one)
            if one.role == "main":
                entry = declared[tuple(sorted(several))]
                choices = [str(label) for label in entry["choices"] or ()]
                offered = [o["value"] for t in one.trials for o in t.view.get("options", ())]
                things = [entry["pictures"].index(i) for i in several]
                things += [f"choice {choices.index(v)}" for v in offered if v in choices]
                placed.update((one.condition, p, thing) for p, thing in enumerate(things))
            elif one.role == "catch" and len(several) > 1:
                right.update(t.correct_option for t in one.trials)
        for condition in {condition for condition, _, _ in placed}:
            asked = loaded.asked(loaded.conditions[condition])
            if any(question.shuffled for question in asked):
                held = [count for key, count in placed.items() if key[0] == condition]
                assert max(held) - min(held) <= 1
            first = [placed[condition, 1, f"choice {n}"] for n in (0, 1)]
            assert abs(first[0] - first[1]) <= 1
        if right and all(option in ("0", "1") for option in right):
            assert abs(right["0"] - right["1"]) <= 1


def test_who_stands_left_first_is_drawn_for_everybody(designs):
    _, _, stored = designs["veerabadran2023"]
    first = [
        stored["facts"][
            next(p for p in participant_plan.draw(stored, "all", 0, seed)
                 if p.condition == "against_clean").stimulus_id
        ]["kind"]
        for seed in range(60)
    ]  # fmt: skip
    assert 15 < Counter(first)["clean"] < 45  # 4 standard deviations about one half


def test_a_pair_towards_two_classes_asks_about_one_of_them(designs):
    _, _, stored = designs["veerabadran2023"]
    for planned in participant_plan.draw(stored, "all", 1, 5):
        facts = [stored["facts"][i] for i in shown(planned)]
        (trial,) = planned.trials
        if planned.condition in ("toward_one", "toward_other"):
            targets = {fact["target"] for fact in facts}
            assert len(targets) == 2
            assert int(trial.shown_label) in targets
        if planned.role == "catch":
            assert len({fact["true_label"] for fact in facts}) == 2
            right = facts[int(trial.correct_option)]
            assert right["true_label"] == int(trial.shown_label)


def test_choices_are_two_and_the_foil_is_the_same_for_everybody(designs, results):
    _, _, stored = designs["zhou-firestone2019"]
    aimed = results["demo"].examples("none", "pgd").target
    offered = {}
    for arm, policy in (("foil", "random_foil"), ("rival", "true_label"), ("any", None)):
        for seed in range(10):
            for planned in participant_plan.draw(stored, arm, 0, seed):
                (trial,) = planned.trials
                values = [int(o["value"]) for o in trial.view["options"]]
                fact = stored["facts"][planned.stimulus_id]
                if policy is None:
                    assert values == list(range(10))
                    assert trial.foil_policy is None
                    continue
                assert len(set(values)) == 2
                if planned.role == "main":
                    assert trial.foil_policy.endswith(policy)
                    assert aimed[fact["source"]["index"]] in values
                    assert (fact["true_label"] in values) == (arm == "rival")
                    offered.setdefault((arm, planned.stimulus_id), set()).add(tuple(sorted(values)))
                else:
                    assert trial.foil_policy == "impossible"
                    assert trial.correct_option == str(fact["true_label"])
    assert all(len(pairs) == 1 for pairs in offered.values())


def test_a_placebo_shows_the_map_of_an_image_that_the_study_does_not_use(designs):
    for name in ("hive2022-agreement", "hive2022-distinction"):
        _, drawn, _ = designs[name]
        passports = [stimulus.passport for stimulus in drawn.stimuli.values()]
        used = {p["source"]["index"] for p in passports}
        shown = [
            (p["saliency"]["shown_index"], p["true_label"])
            for p in passports
            if p["kind"] == "map" and "shown_index" in p["saliency"]
        ]
        assert shown
        for index, label in shown:
            assert index not in used
            assert index % 10 != label  # the synthetic labels


def test_what_is_learnt_from_is_told_and_what_is_predicted_is_not(designs):
    _, _, stored = designs["colin2022"]
    for arm, pictures in (("map", 2), ("placebo", 2), ("plain", 1)):
        planned = participant_plan.draw(stored, arm, 0, 1)
        learnt = [p for p in planned if p.phase == "practice"]
        assert {p.condition for p in learnt} == {f"learn_{arm}"}
        for presentation in learnt:
            answer = stored["facts"][presentation.stimulus_id]["prediction"]["label"]
            assert presentation.trials[0].correct_option == str(answer)
            assert len(shown(presentation)) == pictures
        assert all(len(shown(p)) == 1 for p in planned if p.phase == "main")


def test_same_and_different_are_right_equally_often(results):
    pair = Condition(
        title="Pair",
        presentations=4,
        questions=["same_different"],
        pictures=[
            {"show": "clean"}, {"show": "mistake", "defense": "none", "attack": "tgsm"}
        ],
    )  # fmt: skip
    changed = STUDY.model_copy(update={"conditions": {"pair": pair}})
    drawn = draw_design(changed, results["demo"])
    for entries in (drawn.document["arms"]["all"][key] for key in ("practice", "catch")):
        pairs = [len({image(drawn, i) for i in entry["pictures"]}) for entry in entries]
        assert pairs == [2, 1] * (len(pairs) // 2)


def test_a_repeating_study_shows_every_source_in_every_condition(results):
    repeating = STUDY.model_copy(update={"repeats": True})
    drawn = draw_design(repeating, results["demo"])
    entries, others = drawn.document["arms"]["all"]["lists"]  # of a set of images each
    own, apart = ({image(drawn, *e["pictures"]) for e in each} for each in (entries, others))
    assert len(own) == len(apart) == 4
    assert not own & apart
    by_condition = {}
    for entry in entries:
        by_condition.setdefault(entry["condition"], set()).add(image(drawn, *entry["pictures"]))
    assert len(set(map(frozenset, (by_condition["none"], by_condition["distillation"])))) == 1
    assert by_condition["clean"] < by_condition["none"]


def test_images_are_right_or_wrong_as_their_condition_says(designs):
    _, _, stored = designs["nguyen2021"]
    for entries in stored["arms"]["map"]["lists"]:
        for entry in entries:
            fact = stored["facts"][entry["pictures"][0]]
            right = fact["prediction"]["label"] == fact["true_label"]
            assert right == (entry["condition"] == "right_map")
            assert entry["shown_label"] == fact["prediction"]["label"]

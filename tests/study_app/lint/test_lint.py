"""Every rule of the linter finds what it is for, with place and fix, and nothing else."""

import pytest
import yaml

from study_app import lint, providers, study
from study_app.providers import Provider
from study_app.study import Study

NAMES = list("0123456789")
SHIPPED = sorted(path.stem for path in study.BUILT_IN.glob("*.yaml"))
# With one set of images it has ten lists. Its analysis would not fit what is changed in it.
DEMO = {**yaml.safe_load((study.BUILT_IN / "demo.yaml").read_text()), "image_sets": 1}
PLAN = DEMO.pop("analysis")


def document(**changes):
    """The demo's document without translations; a change of None takes a key away."""
    made = {**DEMO, "translations": {}, **changes}
    return {key: value for key, value in made.items() if value is not None}


def found(names=NAMES, **changes):
    return lint.problems(Study(**document(**changes)), names)


def by_rule(name, **changes):
    return [(p.severity, p.place) for p in found(**changes) if p.rule == name]


def texts(**changes):
    return {**DEMO["texts"], **changes}


def conditions(**changes):
    made = {**DEMO["conditions"], **changes}
    return {key: value for key, value in made.items() if value is not None}


def test_only_the_faithful_replication_lacks_controls():
    lacking = {
        name
        for name in SHIPPED
        for p in lint.problems(study.load(name), NAMES)
        if p.rule == "clean_and_noise" and "no clean and no noise" in p.message
    }
    assert lacking == {"ross2018"}
    assert study.load("ross2018").faithful


def test_errors_come_first_and_say_their_rule():
    problems = found(catch=0, repeats=True)
    order = [lint.rules.SEVERITIES.index(p.severity) for p in problems]
    assert order == sorted(order)
    assert set(order) == {0, 1, 2, 3}
    assert str(problems[0]).startswith("error: catch: no catch trial")
    assert "[catch_trials]" in str(problems[0])


def test_every_rule_is_explained():
    assert all(check.__doc__ and check.__doc__.endswith(".") for check in lint.RULES.values())


def test_no_catch_trial_is_an_error_unless_the_study_is_faithful():
    assert by_rule("catch_trials") == []
    assert by_rule("catch_trials", catch=0) == [("error", "catch")]
    reason = "The original had none, and this follows it."
    assert by_rule("catch_trials", catch=0, faithful=reason) == [("warn", "catch")]


def test_questions_without_an_answer_give_neither_catch_nor_feedback():
    pair = {"title": "Pair", "presentations": 4, "questions": ["pair_preference"],
            "pictures": [{"show": "map", "defense": d, "method": "input_gradient"}
                         for d in ("none", "distillation")]}  # fmt: skip
    assert by_rule("catch_trials", conditions={"pair": pair}) == [("warn", "arms.all")] * 2


def test_mistakes_need_clean_or_noise_controls():
    assert by_rule("clean_and_noise", conditions=conditions(clean=None, noise=None)) == [
        ("error", "arms.all")
    ]
    assert by_rule("clean_and_noise", conditions=conditions(noise=None)) == [("warn", "arms.all")]
    arms = {
        "one": {"title": "First", "conditions": ["none", "clean", "noise"]},
        "two": {
            "title": "Second",
            "conditions": ["gradient_penalty", "adversarial_training", "distillation"],
        },
    }
    assert by_rule("clean_and_noise", arms=arms) == [("error", "arms.two")]


def test_maps_need_a_placebo_or_an_arm_without():
    def shows(*kinds):
        made = {}
        for kind in kinds:
            extra = {"map": {"defense": "none", "method": "input_gradient"}}.get(kind, {})
            second = [] if kind == "clean" else [{"show": kind, **extra}]
            made[kind] = {"title": f"With {kind}", "presentations": 2, "shown": "prediction",
                          "questions": ["accept_reject"],
                          "pictures": [{"show": "clean", "defense": "none"}, *second]}  # fmt: skip
        return by_rule("explanations_without_placebo", conditions=made)

    assert shows("map") == [("error", "conditions")]
    assert shows("map", "clean") == [("warn", "conditions")]
    assert shows("map", "placebo") == [("warn", "conditions")]
    assert shows("map", "placebo", "clean") == shows("clean") == []


def test_foils_are_declared_and_right():
    foils = DEMO["impossible"]
    assert by_rule("foils") == []
    assert by_rule("foils", impossible=None) == [("error", "impossible")]
    assert by_rule("foils", impossible={**foils, 3: [8]}) == [("warn", "impossible")]
    assert by_rule("foils", impossible={**foils, 3: [3, 8]}) == [("error", "impossible")]
    assert by_rule("foils", impossible={**foils, 3: [8, 10]}) == [("error", "impossible.3")]
    for counts, needing in (
        ({"practice": 2, "catch": 0}, "missing: practice presentations need"),
        ({"practice": 0, "catch": 4}, "missing: catch presentations need"),
        ({"practice": 2, "catch": 4}, "missing: practice and catch presentations need"),
    ):
        (said,) = [p.message for p in found(impossible=None, **counts) if p.rule == "foils"]
        assert said.startswith(needing)
    assert by_rule("foils", impossible=None, practice=0, catch=0) == []
    honest = {label: {**c, "shown": "true_label"} for label, c in DEMO["conditions"].items()}
    assert by_rule("foils", conditions=honest) == [("warn", "conditions")]


def test_sources_that_do_not_rotate_are_named():
    assert by_rule("sources_rotate") == []
    assert by_rule("sources_rotate", selection="each") == [("warn", "selection")]
    odd = conditions(none={**DEMO["conditions"]["none"], "presentations": 17})
    assert by_rule("sources_rotate", conditions=odd) == [("hint", "arms.all")]
    odd["none"]["presentations"] = 97
    assert by_rule("sources_rotate", conditions=odd) == [("warn", "arms.all"), ("hint", "arms.all")]


def test_repeated_sources_are_told():
    assert by_rule("repeated_sources", repeats=True) == [("warn", "repeats")]


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        (None, [("warn", "quota")]),
        ({"participants": 9}, [("error", "quota.participants")]),
        ({"participants": 10}, []),
        ({"participants": 25}, [("warn", "quota.participants")]),
        ({"per_arm": 5}, [("error", "quota.per_arm")]),
        ({"participants": 20, "per_arm": 20}, []),
    ],
)
def test_the_quota_fills_all_lists(quota, expected):
    assert by_rule("enough_people", quota=quota) == expected
    # A pilot may be smaller: it compares nothing.
    pilot = [("warn", place) for _, place in expected]
    assert by_rule("enough_people", quota=quota, stage="pilot") == pilot


def test_arms_with_different_numbers_of_lists_fill_unequally():
    arms = {
        "one": {"title": "First", "conditions": ["none", "gradient_penalty"]},
        "two": {"title": "Second",
                "conditions": ["adversarial_training", "distillation", "clean", "noise"]},
    }  # fmt: skip
    assert by_rule("enough_people", arms=arms, quota={"participants": 8}) == [("warn", "arms")]


def test_nothing_leaks_before_the_debrief():
    leaking = texts(
        consent=DEMO["texts"]["consent"] + "Some have random NOISE, made by a gradient penalty.",
        debrief="The gradient penalty.",
        instructions="Some pictures are adversarial.",
    )
    assert by_rule("leaking_labels", texts=leaking) == [
        ("error", "texts.consent"), ("warn", "texts.consent"), ("warn", "texts.instructions")
    ]  # fmt: skip
    questions = [{"name": "label_nafc", "prompt": "Is it a horse?", "cant_tell": "Distillation"}]
    problems = found(["horse", *"123456789"], questions=questions)
    assert {(p.severity, p.message.split("'")[1]) for p in problems if p.rule == "leaking_labels"} \
        == {("error", "distillation"), ("warn", "Is it a horse?")}  # fmt: skip


def test_a_title_or_label_that_is_an_ordinary_word_keeps_no_study_from_being_launched():
    arms = {
        "one": {"title": "One", "conditions": ["none", "gradient_penalty"]},
        "two": {"title": "Two",
                "conditions": ["adversarial_training", "distillation", "clean", "noise"]},
    }  # fmt: skip
    ordinary = texts(instructions="Answer two questions about one picture, in a brief study.")
    labels = conditions(none={**DEMO["conditions"]["none"], "defense": "brief"})
    problems = found(texts=ordinary, arms=arms, conditions=labels)
    said = [p for p in problems if p.rule == "leaking_labels"]
    assert {p.severity for p in said} == {"warn"}
    words = [p.message.split("'")[1] for p in said if p.place == "texts.instructions"]
    assert words == ["brief", "one", "two"]


def test_translations_are_whole():
    german = {**DEMO["translations"]["de"], "words": {}, "texts": {"consent": "Ja"}}
    problems = [p for p in found(translations={"de": german}) if p.rule == "translations"]
    places = [p.place for p in problems if p.severity == "error"]
    assert places == ["translations.de.texts", "translations.de.words"]
    assert "debrief, feedback_right, feedback_wrong, instructions" in problems[0].message
    assert "lacks 5 phrases" in problems[1].message
    # What is to be filled in is YAML, to be pasted.
    block = yaml.safe_load(problems[1].message.partition("fill in:")[2])
    assert "Can't tell" in block
    assert list(block.values()) == [None] * 5
    stray = {**DEMO["translations"]["de"]}
    stray["words"] = {**stray["words"], "Maybe": "Vielleicht"}
    assert ("warn", "translations.de.words") in by_rule("translations", translations={"de": stray})
    klingon = {"xx": DEMO["translations"]["de"]}
    assert by_rule("translations", translations=klingon) == [("warn", "translations.xx")]


def test_an_age_that_is_claimed_is_asked_for():
    assert by_rule("age") == [("warn", "screening")]
    adults = {"name": "age", "kind": "number", "prompt": "How old?", "low": 18}
    assert by_rule("age", screening={"items": [adults]}) == []
    assert by_rule("age", texts=texts(consent="It takes three minutes.")) == []


def test_forms_and_exclusions_have_something_to_judge_by():
    anybody = {"name": "age", "kind": "number", "prompt": "How old?"}
    assert by_rule("forms_do_something", screening={"items": [anybody]}) == [("warn", "screening")]
    device = {"items": [anybody], "device": {"min_width": 600}}
    assert by_rule("forms_do_something", screening=device) == []
    assert by_rule("forms_do_something", catch=0) == [("error", "exclusions")]


def test_the_consent_tells_about_how_long_it_takes():
    assert 2.5 < lint.minutes(Study(**document())) < 3.5
    assert by_rule("duration") == []
    for said, expected in (("one minute", True), ("25 minutes", True), ("4 **minutes**", False),
                           ("some time", True)):  # fmt: skip
        told = by_rule("duration", texts=texts(consent=f"It takes {said}."))
        assert told == [("warn", "texts.consent")] * expected
    long = {k: {**c, "presentations": 100} for k, c in DEMO["conditions"].items()}
    places = [place for _, place in by_rule("duration", conditions=long)]
    assert places == ["conditions", "breaks", "texts.consent"]


@pytest.fixture
def prolific(monkeypatch):
    """A provider of that name, as far as the linter looks at one."""

    class Prolific(Provider):
        codes: dict[str, str | None]

    Prolific.name = "prolific"
    monkeypatch.setitem(providers.registry._members, "prolific", Prolific)
    return lambda **codes: {"name": "prolific", "codes": codes}


def test_prolifics_rules(prolific):
    options = [{"value": "a", "label": "This"}, {"value": "b", "label": "That"}]
    check = {"name": "task", "kind": "choice", "prompt": "Which?", "options": options}
    check["correct"] = "a"
    asked = {
        "texts": texts(
            consent="Three minutes, with attention checks.", failed_check="Please return it."
        ),
        "screening": {"device": {"min_width": 600}},
        "comprehension": {"attempts": 2, "items": [check]},
    }
    complete = prolific(complete="C1", screened_out="C2", failed_check="C3")
    assert by_rule("prolific", provider=complete, **asked) == []
    assert by_rule("prolific", provider=complete, shared_device=True, **asked) == [
        ("warn", "shared_device")
    ]
    assert (
        by_rule("prolific", provider=prolific(complete="C1", failed_check=None), **asked)
        == [("error", "provider")] * 2
    )
    asked["comprehension"] = {"attempts": 1, "items": [check]}
    asked["texts"] = texts(consent="Three minutes.", failed_check="You are rejected.")
    assert by_rule("prolific", provider=complete, catch=0, exclusions=None, **asked) == [
        ("error", "comprehension.attempts"),
        ("error", "catch"),
        ("warn", "texts.consent"),
        ("warn", "texts.failed_check"),
    ]
    assert by_rule("prolific", **asked) == []

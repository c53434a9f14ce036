"""A declared analysis names what there is and claims what can be tested; else it is told how."""

import pytest
import yaml

from engine.errors import UsageError
from study_app import study
from study_app.outcomes import outcomes
from study_app.study.analysis_problems import compared_in

FILES = {path.stem: yaml.safe_load(path.read_text()) for path in study.BUILT_IN.glob("*.yaml")}


def refused(name, tmp_path, plan):
    """The lines by which a shipped study with this analysis is refused."""
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(FILES[name] | {"analysis": plan}, sort_keys=False))
    with pytest.raises(UsageError) as error:
        study.load(str(path))
    return [line.strip() for line in str(error.value).splitlines()[1:]]


def contrast(**parts):
    return {"of": "gradient_penalty", "to": ["none"], **parts}


def plan(*contrasts, **parts):
    return {"primary": ["said_plausible"], "contrasts": list(contrasts), **parts}


CASES = [
    (
        {"primary": ["said_plausibel"]},
        "analysis.primary: unknown outcome 'said_plausibel' (did you mean 'said_plausible'?); this "
        "study has: chose_target, chose_true, cant_tell, chosen_label, said_plausible, ",
    ),
    (
        plan(secondary=["judged_right"]),
        "analysis.secondary: no presentation of this study yields 'judged_right', which takes "
        "accept_reject; it has: chose_target",
    ),
    (
        plan(secondary=["said_plausible"]),
        "analysis.secondary: 'said_plausible' is declared twice; leave one out",
    ),
    (
        plan(contrast(of="gradient_penality")),
        "analysis.contrasts.0.of: unknown condition 'gradient_penality' (did you mean "
        "'gradient_penalty'?); known: none, gradient_penalty",
    ),
    (
        plan(contrast(), contrast(to=["nois"])),
        "analysis.contrasts.1.to: unknown condition 'nois' (did you mean 'noise'?)",
    ),
    (
        plan(contrast(to=["none", "noise"])),
        "analysis.contrasts.0.to: none, noise: several are compared with claim: above_every only, "
        "not different; else write a contrast for each",
    ),
    (
        plan(contrast(to=["none", "none"], claim="above_every")),
        "analysis.contrasts.0.to: none, none: one of them is there twice",
    ),
    (
        plan(contrast(to=["gradient_penalty"])),
        "analysis.contrasts.0.of: 'gradient_penalty' is compared with itself",
    ),
    (
        plan(contrast(claim="equivalent")),
        "analysis.contrasts.0.claim: equivalent needs a margin: the largest difference that counts "
        "as none, such as margin: 0.1",
    ),
    (
        plan(contrast(margin=0.1)),
        "analysis.contrasts.0.margin: 0.1 says nothing with claim: different; it is of equivalent",
    ),
    (
        plan(contrast(outcome="chosen_label"), secondary=["chosen_label"]),
        "analysis.contrasts.0.outcome: 'chosen_label' is a choice, which has no mean, so that "
        "nothing can be compared by a difference; name an outcome that has one (chose_target, ",
    ),
    (
        plan(contrast(outcome="chose_target")),
        "analysis.contrasts.0.outcome: 'chose_target' is not declared; add it to "
        "analysis.secondary",
    ),
    (
        plan(contrast(), smallest_effect=12),
        "analysis.contrasts.0.outcome: 'said_plausible' is a share between 0 and 1, so that no "
        "difference is 12; 12 points are 0.12",
    ),
    (
        plan(contrast(within="some")),
        "analysis.contrasts.0.within: unknown arm 'some'; known: all",
    ),
    (
        plan(contrast(between="arms")),
        "analysis.contrasts.0.between: arms, and this study has none; declare arms, or compare "
        "conditions",
    ),
    (
        {"primary": ["chosen_label"], "test": "mixed"},
        "analysis.test: mixed tests binary outcomes, and none is declared; take cluster_t",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "said"), CASES, ids=[said[:60] for _, said in CASES])
def test_what_is_wrong_is_told_with_place_value_and_fix(tmp_path, declared, said):
    (line,) = refused("demo", tmp_path, declared)
    assert line.startswith(said)
    assert "(line " in line


ARMS = [
    (
        "zhou-firestone2019", {"of": "foil_attack", "to": ["any_attack"]},
        "of: no arm has all of foil_attack, any_attack as main conditions, so that nobody sees "
        "them all; compare what one arm has, or arms with between: arms",
    ),
    (
        "zhou-firestone2019", {"of": "foil_attack", "to": ["foil_clean"], "within": "any"},
        "within: nobody of arm 'any' sees 'foil_attack' as a main condition; it has: any_attack",
    ),
    (
        "zhou-firestone2019", {"between": "arms", "of": "foil", "to": ["any"]},
        "within: foil, any have no main condition in common; compare them over all that they have "
        "with within: all",
    ),
    (
        "colin2022", {"between": "arms", "of": "maps", "to": ["plain"]},
        "of: unknown arm 'maps' (did you mean 'map'?); known: map, placebo, plain",
    ),
    (
        "colin2022", {"between": "arms", "of": "map", "to": ["plain"], "within": "learn_map"},
        "within: map, plain: no main condition 'learn_map' there",
    ),
    (
        "colin2022", {"between": "arms", "of": "map", "to": ["plain"], "within": "predicted"},
        "within: unknown condition 'predicted' (did you mean 'predict'?)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "declared", "said"), ARMS)
def test_arms_are_compared_in_what_they_share(tmp_path, name, declared, said):
    primary = FILES[name]["analysis"]["primary"]
    lines = refused(name, tmp_path, {"primary": primary, "contrasts": [declared]})
    assert lines[0].startswith(f"analysis.contrasts.0.{said}")


def test_all_of_it_is_told_at_once(tmp_path):
    wrong = plan(
        contrast(of="gone", margin=0.2), contrast(to=["none", "lost"]), secondary=["unknown_one"]
    )
    places = [line.partition(":")[0] for line in refused("demo", tmp_path, wrong)]
    assert places == [
        "analysis.secondary", "analysis.contrasts.0.margin", "analysis.contrasts.0.of",
        "analysis.contrasts.1.to", "analysis.contrasts.1.to",
    ]  # fmt: skip


def test_an_outcome_must_be_asked_for_where_it_is_compared(tmp_path):
    asked = {**FILES["demo"]["conditions"]["none"], "questions": ["label_nafc"]}
    document = FILES["demo"] | {
        "conditions": {**FILES["demo"]["conditions"], "none": asked},
        "analysis": plan(contrast()),
    }
    with pytest.raises(ValueError, match="none: nothing that yields 'said_plausible' is asked"):
        study.Study(**document)


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_shipped_study_declares_an_analysis_of_what_it_asks(name):
    loaded = study.load(name)
    assert loaded.analysis is not None
    asked = {q.name for c in loaded.conditions.values() for q in loaded.asked(c)}
    assert {outcomes()[each].task for each in loaded.analysis.primary} <= asked
    for each in loaded.analysis.contrasts:
        assert compared_in(loaded, each)
    assert loaded.quota is None or loaded.analysis.participants == loaded.quota.participants


def test_arms_that_share_nothing_are_compared_over_all_that_they_have():
    nguyen = study.load("nguyen2021")
    assert [compared_in(nguyen, each) for each in nguyen.analysis.contrasts] == [["all"]] * 2

"""A stored study: read back as it was, whichever program stored it, or refused with a sentence."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from databases import on_sqlite
from hypothesis import given, settings
from hypothesis import strategies as st
from lab import Lab
from typer.testing import CliRunner

from db import repository
from db.canonical import canonical_json
from engine import canonical
from study_app import study
from study_app.cli import plausibly
from study_app.design import participant_plan
from study_app.participation import due_forms, load
from study_app.study import (
    StoredStudy,
    Study,
    UnreadableStudyError,
    languages,
    stored_study,
    study_of,
    wording,
)

SHIPPED = [path.stem for path in sorted(study.BUILT_IN.glob("*.yaml"))]
# What 0.1.0 stored of its ten studies before stored studies were a model, two of them with their
# designs, and the SHA-256 of what it made of them: words and forms by language, plans by seed.
BEFORE = json.loads(
    gzip.decompress(
        (Path(__file__).parents[2] / "data/stored_studies_of_0_1_0.json.gz").read_bytes()
    )
)
WITH_DESIGN = [each for each in BEFORE if "design" in each]


def name_of(stored: dict[str, Any]) -> str:
    return str(stored["name"])


def sha256(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def again(document: Any) -> Any:
    """What the database gives back."""
    return json.loads(canonical_json(document))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_study_is_read_back_as_it_was_stored(name):
    declared = study.load(name)
    document = again(declared.to_json())
    stored = StoredStudy.model_validate(document)
    assert stored.to_json() == document
    assert list(stored.conditions) == list(declared.conditions)
    for label, condition in declared.conditions.items():
        assert stored.conditions[label].shown_pictures == condition.shown_pictures
        assert stored.asked(stored.conditions[label]) == declared.asked(condition)
        assert stored.asks_about_foils(stored.conditions[label]) == declared.asks_about_foils(
            condition
        )
    assert stored.all_arms == declared.all_arms
    assert stored.provider == declared.provider
    assert stored.phrases() == declared.phrases()
    for language in languages(declared):
        assert wording(stored, language) == wording(declared, language)


# --- any study ------------------------------------------------------------------------------------

WORDS = st.text("abcde ÄÖ漢", min_size=1, max_size=12).map(lambda text: f"x{text}")
NUMBER = st.none() | st.integers(-5, 5) | st.floats(-1e6, 1e6)
CHOICES = [{"value": "a", "label": "A"}, {"value": "b", "label": "B"}]
COUNT = st.integers(1, 9)


@st.composite
def items(draw, **fixed: Any) -> list[dict[str, Any]]:
    made = []
    for number in range(draw(st.integers(1, 3))):
        kind = fixed.get("kind") or draw(
            st.sampled_from(["choice", "choices", "number", "text", "scale"])
        )
        item = {"name": f"item_{number}", "prompt": draw(WORDS), **fixed, "kind": kind}
        if kind == "number":
            bounds = [draw(NUMBER), draw(NUMBER)]
            low, high = sorted(bounds) if None not in bounds else bounds
            item |= {"low": low, "high": high}
        elif kind != "text":
            item["options"] = CHOICES
        made.append(item | draw(st.sampled_from([{}, {"required": False}])))
    return made


PICTURES = st.lists(
    st.sampled_from(
        [
            {"show": "mistake", "defense": "none", "attack": "tgsm"},
            {"show": "control", "defense": "none", "attack": "noise", "caption": "Noise"},
            {"show": "clean"},
            {"show": "clean", "defense": "none", "answer": "wrong"},
            {"show": "map", "defense": "none", "method": "gradient", "scale": "model"},
            {"show": "map", "defense": "none", "method": "gradient", "of": "tgsm"},
            {"show": "placebo"},
            {"show": "placebo", "placebo": "other_image", "defense": "none", "method": "gradient"},
        ]
    ),
    min_size=1,
    max_size=3,
)
RATED = {"name": "rating_scale", "prompt": "How good is it?"}
PROVIDERS = [
    "direct",
    {"name": "prolific", "complete": "CODE1", "screened_out": "CODE2"},
    {"name": "sona", "credit": "https://pool.example.org/credit?survey_code={id}"},
]
RULES = [
    {"rule": "incomplete"},
    {"rule": "too_fast", "ms": 200},
    {"rule": "catch_below", "share": 0.75},
    {"rule": "hidden_too_long", "ms": 1e4},
]


@st.composite
def studies(draw) -> Study:
    labels = draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True))
    document = {
        "name": "any",
        "title": draw(WORDS),
        "experiment": "demo",
        "seed": draw(st.integers(0, 2**40)),
        "questions": [RATED, {"name": "free_text", "max_length": draw(st.integers(10, 99))}],
        "conditions": {
            label: {"title": draw(WORDS), "presentations": draw(COUNT), "pictures": draw(PICTURES)}
            for label in labels
        },
        "impossible": draw(
            st.dictionaries(st.integers(0, 9), st.lists(st.integers(0, 9)), max_size=3)
        ),
        "texts": {"consent": draw(WORDS), "instructions": "Look.", "debrief": "Thank you."},
        "provider": draw(st.sampled_from(PROVIDERS)),
        "exclusions": draw(st.lists(st.sampled_from(RULES), max_size=3)),
        "translations": draw(
            st.dictionaries(
                st.sampled_from(["de", "ja", "pt-BR"]),
                st.fixed_dictionaries(
                    {"title": WORDS, "words": st.dictionaries(WORDS, st.text(max_size=5))}
                ),
            )
        ),
        "screening": draw(
            st.none()
            | st.fixed_dictionaries(
                {"items": items()},
                optional={
                    "device": st.fixed_dictionaries({}, optional={"min_width": COUNT}),
                    "calibration": st.booleans(),
                },
            )
        ),
        "comprehension": draw(
            st.none()
            | st.fixed_dictionaries(
                {"items": items(kind="choice", correct="a")},
                optional={"attempts": st.integers(1, 5)},
            )
        ),
        "demographics": draw(st.none() | st.fixed_dictionaries({"items": items()})),
        "quota": draw(st.none() | st.fixed_dictionaries({}, optional={"per_arm": COUNT})),
        "breaks": draw(st.none() | st.fixed_dictionaries({"every": COUNT})),
    }
    if draw(st.booleans()):
        document["arms"] = {"one": {"title": "One", "conditions": labels}}
    if draw(st.booleans()):
        label = draw(st.sampled_from(labels))
        document["conditions"][label] |= {"questions": [{**RATED, "exposure_ms": 500}]}
    return Study(**document)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(declared=studies())
def test_any_study_is_read_back_as_it_was_stored(declared):
    document = again(declared.to_json())
    stored = StoredStudy.model_validate(document)
    assert stored.to_json() == document
    assert stored.phrases() == declared.phrases()
    assert [stored.groups(arm) for arm in stored.all_arms] == [
        declared.groups(arm) for arm in declared.all_arms
    ]
    for language in languages(declared):
        assert wording(stored, language) == wording(declared, language)


# --- stored by programs before --------------------------------------------------------------------


@pytest.mark.parametrize("before", BEFORE, ids=name_of)
def test_what_was_stored_before_has_the_same_words_and_forms(before):
    stored = StoredStudy.model_validate(before["config"])
    assert stored.to_json() == before["config"]
    own, *others = languages(stored)
    assert own == before["config"]["language"]
    assert sorted([own, *others]) == list(before["languages"])
    for language, made in before["languages"].items():
        assert sha256(asdict(wording(stored, language))) == made["wording"]
        assert set(stored.forms) == set(made["forms"])
        for form, expected in made["forms"].items():
            wanted = due_forms.Due(form, 1)
            assert sha256(due_forms.shown(stored, wanted, language)) == expected


@pytest.mark.parametrize("before", WITH_DESIGN, ids=name_of)
def test_a_design_stored_before_gives_plans_by_todays_rules(before):
    """What a list shows stays; order, sides and places of catch presentations are newer rules'."""
    stored, design = StoredStudy.model_validate(before["config"]), before["design"]
    assert before["plans"]
    for arm, number, language, seed, _ in before["plans"]:
        words = wording(stored, language)
        plan = participant_plan.draw(design, arm, number, seed, wording=words)
        entries = design["arms"][arm]["lists"][number]
        shown = Counter(
            (one.condition, frozenset((one.stimulus_id, *one.further)))
            for one in plan
            if one.role == "main"
        )
        assert shown == Counter((e["condition"], frozenset(e["pictures"])) for e in entries)
        assert sum(one.role == "catch" for one in plan) == len(design["arms"][arm]["catch"])
        prompts = {trial.view["prompt"] for one in plan for trial in one.trials}
        asked = [q for c in stored.conditions.values() for q in stored.asked(c)]
        for question in asked:
            begins, _, _ = words.say(question.prompt).partition("{label}")
            assert any(said.startswith(begins) for said in prompts)


@pytest.mark.parametrize("before", WITH_DESIGN, ids=name_of)
def test_launching_it_again_unchanged_makes_no_new_version(before, database):
    def publish(config: Any, content_sha256: str) -> int:
        version = database.write(
            lambda s: repository.publish_study(
                s,
                name=before["name"],
                config=config,
                design=before["design"],
                stage="main",
                stimuli=[],
                content_sha256=content_sha256,
                now=datetime.now(UTC),
            )
        )
        return version.version

    assert publish(before["config"], before["content_sha256"]) == 1
    now = StoredStudy.model_validate(before["config"]).to_json()
    content = canonical.sha256({"config": now, "design": before["design"]})
    assert publish(now, content) == 1


YOUNGER = (
    "arms", "selection", "repeats", "breaks", "screening", "comprehension", "demographics",
    "quota", "provider", "exclusions", "faithful", "translations",
)  # fmt: skip


def test_a_study_from_before_there_were_arms_forms_and_providers_has_the_defaults():
    document = study.load("demo").to_json()
    for key in YOUNGER:
        del document[key]
    for key in ("feedback_late", "screened_out", "failed_check"):
        del document["texts"][key]
    kept = ("label", "title", "show", "defense", "attack", "presentations")
    document["conditions"] = [{k: part[k] for k in kept} for part in document["conditions"]]
    stored = StoredStudy.model_validate(document)
    assert stored.provider.name == "direct"
    assert (stored.quota, stored.forms, stored.exclusions) == (None, {}, ())
    assert list(stored.all_arms) == [study.ALL]
    assert languages(stored) == ["en"]
    asked = [stored.asked(condition) for condition in stored.conditions.values()]
    assert {tuple(q.name for q in each) for each in asked} == {("label_nafc", "target_plausible")}
    assert wording(stored, "en").texts["screened_out"].startswith("Thank you")


def test_stricter_rules_of_today_do_not_stop_a_study_under_way():
    """A condition that no arm has is refused in a file; here people are taking part."""
    document = study.load("demo").to_json()
    first = document["conditions"][0]["label"]
    document["arms"] = [{"label": "all", "title": "All", "conditions": [first]}]
    stored = StoredStudy.model_validate(document)
    assert list(stored.of_arm("all")) == [first]


# --- stored by newer programs ---------------------------------------------------------------------


def strange(document: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Documents of a program that does not exist yet, each with what must be named."""
    first, *others = document["conditions"]
    asked = [{**first["questions"][0], "tempo": 3}, *first["questions"][1:]]
    return [
        ({**document, "stopping": {"after": 3}}, "the key 'stopping'"),
        ({**document, "conditions": [{**first, "mood": "calm"}, *others]}, "mood"),
        ({**document, "conditions": [{**first, "questions": asked}, *others]}, "tempo"),
        ({**document, "conditions": [{**first, "label": 3}]}, "conditions"),
        ({**document, "conditions": {"a": first}}, "conditions"),
        ({**document, "arms": ["all"]}, "arms"),
        ({**document, "arms": None}, "arms"),
        ({**document, "provider": {"name": "turk"}}, "turk"),
        ({**document, "texts": {}}, "texts.consent"),
        ({**document, "exclusions": [{"rule": "too_slow", "ms": 5}]}, "exclusions"),
    ]


@pytest.mark.parametrize("number", range(10))
def test_what_a_newer_program_stored_is_refused_with_a_sentence(number, lab: Lab):
    document, named = strange(dict(lab.version.config))[number]
    version = lab.change(**document)
    with pytest.raises(UnreadableStudyError) as refused:
        study_of(version)
    with lab.database.read() as s, pytest.raises(UnreadableStudyError):
        stored_study(s, version.id)
    sentence = str(refused.value)
    assert sentence.startswith("Version 2 of study 'demo' holds what this program does not know:")
    assert named in sentence
    assert "\n" not in sentence


def test_a_participant_of_such_a_study_waits_and_the_page_is_calm(lab: Lab, monkeypatch):
    person = lab.participant(admitted=False)
    lab.change(stopping=True)
    assert person.trials()["state"] == "consented"  # of the version that they consented to
    body = {
        "study": "demo",
        "consent_sha256": "0" * 64,
        "language": "en",
        "provider": {"name": "direct", "id": None, "session": None},
        "nonce": "0" * 32,
    }
    answer = lab.client.post("/api/consent", json=body)
    assert answer.status_code == 503
    assert answer.json()["error"] == "unavailable"
    assert "stopping" not in answer.text
    monkeypatch.setattr(load, "app_state", lambda: lab.state)
    assert load.load_texts("demo") is None


@on_sqlite
def test_the_command_line_says_so_and_fails(lab: Lab, tmp_path, monkeypatch):
    lab.change(stopping=True)
    monkeypatch.setenv("PLAUSIBLY_HOME", str(tmp_path))
    said = CliRunner().invoke(plausibly.app, ["study", "invite", "demo", "--count", "1"])
    assert isinstance(said.exception, UnreadableStudyError)
    assert said.exception.exit_code == 1


# --- once -----------------------------------------------------------------------------------------


def test_a_version_is_validated_once(lab: Lab, monkeypatch):
    version = lab.change()
    read = []
    validate = StoredStudy.model_validate

    def counted(config: Any) -> StoredStudy:
        read.append(config)
        return validate(config)

    monkeypatch.setattr(StoredStudy, "model_validate", counted)
    lab.participant().finish()
    lab.participant(language="de").finish()
    with lab.database.read() as s:
        assert stored_study(s, version.id) is study_of(version)
    assert len(read) == 1
    lab.change(title="Another title")
    assert study_of(lab.version).title == "Another title"
    assert len(read) == 2

"""Every shipped study over HTTP, from consent to code and export, with simulated raters."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from lab import DEVICE, Lab, Person, open_lab
from synthetic import experiment, protocols

from db import export, repository
from engine.artifacts import ArtifactStore
from study_app import questions
from study_app.exclusions import judge
from study_app.forms import Item
from study_app.outcomes.scoring import score
from study_app.questions import Percept
from study_app.study import BUILT_IN

NAMES = sorted(path.stem for path in BUILT_IN.glob("*.yaml"))


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> ArtifactStore:
    made = ArtifactStore(tmp_path_factory.mktemp("artifacts"))
    experiment(made)
    protocols(made)
    return made


def rated(trial: dict, rng: random.Random) -> str:
    """The answer of a rater whose beliefs about every picture are drawn at random."""
    beliefs = np.array([[rng.random() + 1e-6 for _ in range(10)] for _ in trial["images"]])
    percept = Percept(beliefs / beliefs.sum(axis=1, keepdims=True), shown_label=rng.randrange(10))
    return questions.registry.get(trial["task"]).simulate(trial, percept, rng)


def filled_in(form: dict, config: dict) -> dict:
    """Answers that let somebody through."""
    kept = {item["name"]: item for item in config[form["form"]]["items"]}
    answers = {}
    for item in form["items"]:
        known = Item(**kept[item["name"]])
        if item["kind"] == "number":
            answers[item["name"]] = known.low if known.low is not None else 30
        elif item["kind"] == "text":
            answers[item["name"]] = "words"
        else:
            values = [option["value"] for option in item["options"]]
            wanted = known.correct or (known.accept or values)[0]
            answers[item["name"]] = [wanted] if item["kind"] == "choices" else wanted
    return answers


def secrets_of(lab: Lab) -> set[str]:
    """What no trial and no form may hold, as it would be spelled."""
    keys = ("accept", "correct", "correct_option", "condition", "attack", "defense", "prediction")
    words = {f'"{key}":' for key in keys}
    words |= {"true_label", "foil_policy", "passport", "placebo", "tgsm", "gradient_penalty"}
    with lab.database.read() as s:
        for stimulus in repository.stimuli_of(s, lab.version.id):
            passport = stimulus.passport
            words |= {stimulus.stimulus_id, stimulus.image_id, stimulus.pixels_sha256}
            if passport["model"]:
                words |= {passport["model"]["id"], passport["model"]["weights_sha256"]}
    return words


def take_part(lab: Lab, rng: random.Random, language: str) -> tuple[Person, list[dict]]:
    """One participant to the end; returns also the trials as the browser got them."""
    config = lab.version.config
    received = []
    person = lab.participant(admitted=False, language=language, study=config["name"])
    while form := person.trials(0, 1)["form"]:
        received.append(form)
        person.form(form["form"], filled_in(form, config), device=DEVICE).raise_for_status()
    person.post("/api/admit", {}).raise_for_status()
    trials = person.plan()
    for trial in trials:
        answer = person.answer(trial, rated(trial, rng))
        assert answer.status_code == 200, (trial["task"], answer.json())
        assert answer.json()["status"] == "stored"
    while form := person.trials(0, 1)["form"]:
        person.form(form["form"], filled_in(form, config)).raise_for_status()
    told = json.dumps([received, trials])
    assert not [word for word in secrets_of(lab) if word in told]
    return person, trials


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_study_from_consent_to_export(name, store, tmp_path):
    lab = open_lab(tmp_path, store=store, study_name=name)
    rng = random.Random(name)
    languages = [lab.version.config["language"], *lab.version.config["translations"]]
    taken = [
        take_part(lab, rng, languages[number % len(languages)])
        for number in range(max(2, len(languages)))
    ]
    for person, _ in taken:
        state = person.trials()
        assert state["complete"]
        assert state["debrief"]["code"]
    with lab.database.read() as s:
        rows = export.ratings(s, name, judge=judge, score=score)
        stimuli = set(export.stimuli(s, name)["stimulus_id"])
    lab.database.close()
    assert len(rows) == sum(len(trials) for _, trials in taken)
    for pictures in rows["pictures_json"].map(json.loads):
        assert set(pictures) <= stimuli
    # Nobody sees a source image twice, unless the study says so.
    if not lab.version.config["repeats"]:
        shown = rows.drop_duplicates("presentation_id")
        assert not shown.duplicated(["participant_id", "source_image_id"]).any()
    for task, part in rows.groupby("task"):
        declared = set(questions.registry.get(task).columns)
        for values in part["values_json"].map(json.loads):
            assert declared <= set(values)

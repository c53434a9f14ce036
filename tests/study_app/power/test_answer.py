"""What is said of a study's power, and drawn, and kept for the linter."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pandas as pd
import pytest
from simulated_ratings import frame
from typer.testing import CliRunner

from engine.errors import UsageError
from study_app import lint, study
from study_app.cli import plausibly
from study_app.power import (
    ASSUMED,
    Losses,
    Range,
    Setting,
    ask,
    chart,
    components,
    kept,
    pilot,
    plan_of,
    planned,
)
from study_app.power.quick import quick

PAIR = ("none", ["distillation"], "different")


def declaring(*contrast, effect=0.12, **changes):
    declared = study.load("demo")
    plan = plan_of(declared, *(contrast or PAIR), effect, "said_plausible")
    return declared.model_copy(update={"analysis": plan.model_copy(update=changes)})


def asked(declared, people, images, **more):
    every, left_out = planned(declared)
    setting = Setting(declared, every, ASSUMED, {"": 0.3}, Losses({}), 200, **more)
    return ask(setting, people, images, left_out)


@pytest.fixture(scope="module")
def answer():
    return asked(declaring(), [20, 120], [20, 40, 80])


def test_the_recommendation_says_numbers_and_how_sure_they_are(answer):
    said = answer.recommendation()
    found = re.fullmatch(
        r"120 people and 40 images give (\d+) % \((\d+) to (\d+)\) for 12 points; "
        r"with the upper range of the components (\d+) %\.",
        said,
    )
    assert found, said
    power, low, high, upper = map(int, found.groups())
    assert 80 <= power <= 97
    assert low < power < high
    assert upper < power + 3
    assert "assumed" in list(answer.sentences())[-1]


def test_what_few_images_cap_is_said(answer):
    (limit,) = answer.limits
    assert (limit.images, limit.comparison) == (20, 0)
    assert limit.people > 120
    assert any(s.startswith("With 20 images about") for s in answer.sentences())
    strange = replace(ASSUMED, image_condition=Range(1.6, 1.6, 1.6))
    every, _ = planned(declaring())
    capped = ask(Setting(declaring(), every, strange, {"": 0.3}, Losses({}), 60), [20, 40], [20])
    assert capped.recommendation().startswith("No number asked for is enough: 40 people and 20")
    assert any(s.startswith("With 20 images no number of people reaches 80 %: 1000 give")
               for s in capped.sentences())  # fmt: skip


def test_it_is_drawn_with_every_number(answer, tmp_path):
    for name in ("power.svg", "power.html"):
        chart.write(answer, tmp_path / name)
    picture = ET.parse(tmp_path / "power.svg").getroot()
    dots = [e for e in picture.iter() if e.tag.endswith("circle")]
    assert len(dots) == len(answer.cells) == 6
    assert "120 people, 40 images:" in "".join(picture.itertext())
    page = (tmp_path / "power.html").read_text()
    assert answer.recommendation() in page
    rows = re.findall(r"<tr><td>(\d+)</td><td>\d+</td><td>(\d+)</td>", page)
    assert rows == [(p, i) for i in ("20", "40", "80") for p in ("20", "120")]
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    with pytest.raises(UsageError, match=r"\.html or \.svg"):
        chart.write(answer, tmp_path / "power.png")


def test_what_was_found_is_kept_for_this_design_alone(answer, tmp_path):
    declared = answer.setting.study
    kept.keep(answer, tmp_path)
    found = kept.find(declared, tmp_path)
    assert found.components == ASSUMED
    assert found.found[0, 120, 40] == answer.cells[3].power
    assert kept.find(declared.model_copy(update={"title": "Anew"}), tmp_path) is not None
    assert kept.find(declared.model_copy(update={"image_sets": 3}), tmp_path) is None
    (path,) = (tmp_path / "power").iterdir()
    path.write_text('{"comparisons": []}')
    assert kept.find(declared, tmp_path) is None


def test_the_linter_says_how_many_people_would_do(tmp_path):
    def said(declared, home=None):
        seen = quick(declared, home)
        return [p for p in lint.problems(declared, seen=seen) if p.rule == "enough_power"]

    (few,) = said(declaring(participants=40))
    assert (few.severity, few.place) == ("warn", "analysis.participants")
    found = re.match(
        r"40 people and 40 images show a difference of 12 points in (\d+) %", few.message
    )
    assert 35 < int(found[1]) < 75
    needed = int(re.search(r"About (\d+) people would do", few.message)[1])
    assert 60 <= needed <= 130
    assert said(declaring(participants=2 * needed)) == []
    (unsaid,) = said(declaring())
    assert unsaid.severity == "hint"
    assert "people would do" in unsaid.message
    # What was asked before is believed, whatever it says.
    sure = replace(ASSUMED, image_condition=Range(2.5, 2.5, 2.5), source="pilot one")
    strict = declaring(participants=2 * needed)
    every, _ = planned(strict)
    setting = Setting(strict, every, sure, {"": 0.3}, Losses({}), 60)
    kept.keep(ask(setting, [2 * needed], [40]), tmp_path)
    (warned,) = said(strict, tmp_path)
    assert "components pilot one" in warned.message
    assert "no number of people is enough" in warned.message


def test_the_linter_is_silent_where_nothing_is_declared():
    for declared in (
        study.load("demo").model_copy(update={"analysis": None}),
        study.load("saliency-preference"),
        declaring(smallest_effect=None),
    ):
        seen = quick(declared)
        assert seen is None
        assert "enough_power" not in {p.rule for p in lint.problems(declared, seen=seen)}


def test_components_are_numbers_or_ranges(tmp_path):
    given = {"person": "1.2", "image": "0.8-1.2", "person_condition": None}
    found = components.declared(given)
    assert found.person == Range(1.2, 1.2, 1.2)
    assert found.image == Range(1.0, 0.8, 1.2)
    assert found.image_condition == ASSUMED.image_condition
    assert found.source == "declared, the others assumed"
    assert components.declared({"person": None}) is ASSUMED
    for bad in ("many", "1.2-0.8", "9", "-1"):
        with pytest.raises(UsageError, match=re.escape(f"--person: '{bad}'")):
            components.declared({"person": bad})
    file = tmp_path / "own.yaml"
    file.write_text("{person: 1, image: [0.5, 0.7], person_condition: 0, image_condition: .4}")
    found = components.from_file(file)
    assert (found.image, found.source) == (Range(0.6, 0.5, 0.7), "declared")
    file.write_text("{persons: 1}")
    with pytest.raises(UsageError, match="persons: no component; known: person, image"):
        components.from_file(file)


def test_a_pilot_gives_components_with_their_uncertainty(monkeypatch):
    monkeypatch.setattr(pilot, "REFITS", 2)
    ratings = frame(
        {"none": 0.42, "distillation": 0.3}, 40, 20, seed=3, each=5, person=1.5, image=0.5
    )
    ((one,), _) = planned(declaring())
    found, base = pilot.of_pilot(ratings, one, "first", 0)
    assert found.person.low <= found.person.value <= found.person.high
    assert 1.0 < found.person.value < 2.1
    assert found.image.value < 1.0
    shares = {
        "none": pytest.approx(0.42, abs=0.12),
        "distillation": pytest.approx(0.3, abs=0.12),
    }
    others = pytest.approx(0.3, abs=0.12)
    assert base == {"": others, **shares}
    setting = Setting(declaring(), [one], found, base, Losses({}), 20)
    assert "pilot first" in list(ask(setting, [20], [20]).sentences())[-1]
    assert found.source == "pilot first, 40 people"
    few = ratings[ratings["participant_id"].isin(["p000", "p001"])]
    for table, message in (
        (few, "2 people answered about"),
        (ratings.assign(said_plausible=pd.array([True] * len(ratings), dtype="boolean")), "alike"),
        (ratings.drop(columns="said_plausible"), "give no said_plausible"),
    ):
        with pytest.raises(UsageError, match=message):
            pilot.of_pilot(table, one, "first", 0)


def run(*words):
    return CliRunner().invoke(plausibly.app, ["study", "power", *words])


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAUSIBLY_HOME", str(tmp_path / "home"))
    words = ["demo", "--of", "none", "--to", "noise", "--effect", ".3", "--people", "20,40"]
    words += ["--images", "40", "--runs", "60", "--out", str(tmp_path / "power.svg"), "--json"]
    said = run(*words)
    assert said.exit_code == 0, said.output
    found = json.loads(said.stdout)
    assert [(c["people"], c["images"]) for c in found["cells"]] == [(20, 40), (40, 40)]
    assert found["said"][0].split()[1] == "people"
    assert (tmp_path / "power.svg").exists()
    assert not (tmp_path / "home" / "power").exists()  # it is not what the file declares
    said = run("hive2022-distinction", "--images", "20", "--runs", "60")
    assert "gradient_penalty above none" in said.stdout
    found = re.search(r"^(\d+) people and 20 images give", said.stdout, re.M)
    assert int(found[1]) in (40, 50, 80)  # what the file declares is among them
    assert re.search(r"│ +50 │", said.stdout)
    assert (tmp_path / "home" / "power").is_dir()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["demo", "--of", "none"], "belong together"),
        (
            ["demo", "--of", "nun", "--to", "noise", "--effect", ".1"],
            "none of the study's conditions",
        ),
        (["demo", "--people", "few"], "--people few: give numbers"),
        (["demo", "--base", "noise=2"], "--base noise=2"),
        (["saliency-preference"], "declares no contrast"),
        (["demo", "--out", "power.png"], "html or .svg"),
        (["demo", "--pilot", "one", "--person", "1"], "give one of"),
    ],
)
def test_what_cannot_be_asked_is_refused(tmp_path, monkeypatch, words, message):
    monkeypatch.setenv("PLAUSIBLY_HOME", str(tmp_path))
    said = run(*words)
    assert isinstance(said.exception, UsageError)
    assert message in str(said.exception)

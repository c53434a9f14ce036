"""Exclusion rules over HTTP: marked in the export, left out of the human table, counted."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from types import SimpleNamespace

from databases import on_sqlite
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from db import export
from db.models import Trial
from engine.analysis import estimates
from engine.analysis.exclusions import exclusions
from study_app.analysis.tables import exclusions_line
from study_app.cli import plausibly
from study_app.exclusions import judge
from study_app.outcomes.scoring import score
from study_app.researcher import login, studies_page
from study_app.study import study_of

TRIALS = 52  # of the demo, for everybody
runner = CliRunner()


def take_part(lab, *, careful, **changes):
    """Somebody who finishes the demo; who is not careful gives a wrong answer to catch trials."""
    person = lab.participant()
    with lab.database.read() as s:
        right = {t.id: t.correct_option for t in s.query(Trial)}
    for trial in person.plan():
        expected = right[trial["trial_id"]]
        value = expected or trial["options"][0]["value"]
        if expected and not careful:
            value = next(o["value"] for o in trial["options"] if o["value"] != expected)
        person.answer(trial, value, **changes).raise_for_status()
        changes = {}
    assert person.trials()["complete"]


def counted(lab):
    """People whose main answers count, and what each rule excludes."""
    with lab.database.read() as s:
        table = export.ratings(s, "demo", judge=judge, score=score)
    rules = [each.name for each in study_of(lab.version).exclusions]
    return estimates.counted(table)["participant_id"].nunique(), exclusions(table, rules)


def test_who_fails_the_catch_trials_is_marked_left_out_and_counted(lab):
    take_part(lab, careful=True, rt_ms=120.0)  # the first answer only, in practice
    take_part(lab, careful=False)
    people, found = counted(lab)
    assert people == 1
    assert [(one.rule, one.people, one.answers) for one in found] == [
        ("catch_below", 1, TRIALS),
        ("too_fast", 1, 1),
    ]
    line = f"{TRIALS} answers of 1 person (catch_below); 1 answer of 1 person (too_fast)."
    assert exclusions_line(found) == f"Left out by the study's rules: {line}"

    lab.log_in()
    archive = zipfile.ZipFile(io.BytesIO(lab.client.get("/api/export/demo.zip").content))

    def read(name):
        return list(csv.DictReader(io.StringIO(archive.read(f"demo/{name}.csv").decode())))

    marks = [(row["excluded"], row["exclusion_rule"]) for row in read("ratings")]
    assert sorted(set(marks)) == [("false", ""), ("true", "catch_below"), ("true", "too_fast")]
    assert marks.count(("true", "catch_below")) == TRIALS
    assert len(marks) == 2 * TRIALS
    assert sorted((row["excluded"], row["exclusion_rule"]) for row in read("participants")) == [
        ("false", ""),
        ("true", "catch_below"),
    ]


def test_the_rules_of_an_earlier_version_still_hold_for_its_people(lab):
    take_part(lab, careful=False)
    lab.change(exclusions=[{"rule": "incomplete"}])
    take_part(lab, careful=False)
    unfinished = lab.participant()
    unfinished.answer(unfinished.plan()[0]).raise_for_status()
    people, found = counted(lab)
    assert people == 1
    assert [(one.rule, one.people, one.answers) for one in found] == [
        ("incomplete", 1, 1),
        ("catch_below", 1, TRIALS),
    ]


@on_sqlite
def test_analyze_leaves_out_what_is_excluded_unless_all_is_asked_for(lab, monkeypatch):
    take_part(lab, careful=True)
    take_part(lab, careful=False)
    monkeypatch.setenv("PLAUSIBLY_HOME", str(lab.database.path.parent))

    def analyze(*options):
        done = runner.invoke(plausibly.app, ["analyze", "demo", *options])
        assert done.exit_code == 0, done.output
        return done.stdout

    for option, people in (([], 1), (["--all"], 2)):
        result = json.loads(analyze("--json", *option))
        (plausible,) = [o for o in result["outcomes"] if o["outcome"]["name"] == "said_plausible"]
        assert {cell["estimate"]["people"] for cell in plausible["estimates"]} == {people}
        assert result["with_excluded"] == (people == 2)
        assert {one["expected"]["people"] for one in result["attention"]} == {2}
        (arm,) = result["flow"]["arms"]
        assert (arm["finished"], arm["analysed"]) == (2, 1)
        assert arm["excluded"] == {"catch_below": 1}
        assert result["exclusions"] == [
            {"rule": "catch_below", "people": 1, "answers": TRIALS},
            {"rule": "too_fast", "people": 0, "answers": 0},
        ]
    each = f"{TRIALS} answers of 1 person (catch_below); nothing (too_fast)."
    one = ["--outcome", "cant_tell"]
    assert f"Left out by the study's rules: {each}" in " ".join(analyze(*one).split())
    every = " ".join(analyze("--all", *one).split())
    assert f"Nothing is left out; the study's rules would exclude {each}" in every


def shown(lab, monkeypatch):
    """The researchers' page as somebody who is logged in sees it."""
    lab.log_in()
    cookies = {login.COOKIE: lab.client.cookies[login.COOKIE]}
    monkeypatch.setattr(studies_page.st, "context", SimpleNamespace(cookies=cookies))
    monkeypatch.setattr(studies_page, "app_state", lambda: lab.state)

    def script():
        from study_app.researcher.studies_page import researcher_page

        researcher_page()

    made = AppTest.from_function(script, default_timeout=60).run()
    assert not made.exception
    return made


def texts(found):
    return "\n".join(element.value for element in found)


@on_sqlite
def test_the_researchers_page_says_what_is_left_out(lab, monkeypatch):
    assert "Left out" not in texts(shown(lab, monkeypatch).markdown)
    take_part(lab, careful=False)
    made = shown(lab, monkeypatch)
    assert texts(made.info) == "All answers so far are left out by the study's exclusion rules."
    line = f"Left out by the study's rules: {TRIALS} answers of 1 person (catch_below)"
    assert line in texts(made.markdown)
    assert "Catch trials answered as expected" in texts(made.markdown)
    take_part(lab, careful=True)
    made = shown(lab, monkeypatch)
    assert not made.info
    assert "alled the label plausible" in texts(made.markdown)
    assert line in texts(made.markdown)


@on_sqlite
def test_a_rule_from_a_newer_program_stops_the_tables_with_its_name(lab, monkeypatch):
    lab.change(exclusions=[{"rule": "sleepy"}])
    assert '"sleepy"' in texts(shown(lab, monkeypatch).error)
    refused = lab.client.get("/api/export/demo.zip")
    assert refused.status_code == 503
    assert "sleepy" in refused.json()["message"]


@on_sqlite
def test_a_study_without_rules_says_nothing(lab):
    lab.change(exclusions=[])
    take_part(lab, careful=False)
    people, found = counted(lab)
    assert (people, found, exclusions_line(found)) == (1, [], "")

"""From stored answers to findings: what is registered, what is computed, and what is said of it."""

from __future__ import annotations

import json

import pytest
from databases import on_sqlite
from typer.testing import CliRunner

from db import repository
from engine.analysis.outcomes import Outcome
from engine.errors import UsageError
from study_app import study
from study_app.analysis.declared import planned
from study_app.analysis.findings import condition_titles, findings, leading
from study_app.analysis.plain_data import plain
from study_app.analysis.stages import stage_view
from study_app.cli import plausibly as cli
from study_app.study.analysis_plan import AnalysisPlan, PlannedContrast

DEMO = study.load("demo")
YES = Outcome("said_plausible", "binary", "yes", "yes", "target_plausible")
LABEL = Outcome("chosen_label", "choice", "class", "class", "label_nafc")


def found(lab, **options):
    with lab.database.read() as s:
        return findings(stage_view(s, repository.study(s, "demo")), s, **options)


@pytest.fixture
def answered(lab):
    """Two people who answer everything, and no rule."""
    lab.change(exclusions=[])
    for _ in range(2):
        lab.participant().finish()
    return lab


@on_sqlite
def test_registered_outcomes_come_first_and_all_that_has_an_answer_follows(answered):
    made = found(answered)
    roles = [each.role for each in made.outcomes]
    assert [each.outcome.name for each in made.outcomes[:2]] == ["said_plausible", "chose_target"]
    assert roles == sorted(roles, key=["primary", "secondary", "exploratory"].index)
    assert {"chose_true", "chosen_label"} <= {each.outcome.name for each in made.outcomes}
    assert [each.outcome.name for each in leading(made)] == ["said_plausible", "chose_target"]
    registered = [each.spec.registered for each in made.contrasts]
    assert registered == sorted(registered, reverse=True)
    assert sum(registered) == 3 * 2
    main = 2 * 20 * 2
    assert sum(made.basis.counted.values()) == made.basis.main == main
    for each in made.outcomes:
        told = sum(cell.answered + cell.missing + cell.undefined for cell in each.estimates)
        assert told == main / 2, each.outcome.name

    # One outcome says the same alone: corrected p-values are of the whole family.
    alone = found(answered, outcome="chose_target")
    assert [each.outcome.name for each in alone.outcomes] == ["chose_target"]
    of_all = [c for c in made.contrasts if c.spec.outcome.name == "chose_target"]
    declared = [c.p_corrected for c in of_all if c.spec.registered]
    assert [c.p_corrected for c in alone.contrasts if c.spec.registered] == declared
    with pytest.raises(UsageError, match=r"unknown outcome 'colour' .* said_plausible, chose_t"):
        found(answered, outcome="colour")

    # It is kept until an answer comes.
    assert found(answered).outcomes is made.outcomes
    person = answered.participant()
    for trial in person.plan()[:8]:
        person.answer(trial).raise_for_status()
    assert found(answered, outcome="chose_target").outcomes is not alone.outcomes


@on_sqlite
def test_where_nothing_is_registered_the_first_of_each_question_leads(lab):
    config = {key: value for key, value in lab.version.config.items() if key != "analysis"}
    lab.change(**{**config, "exclusions": [], "analysis": None})
    lab.participant().finish()
    made = found(lab)
    assert {each.role for each in made.outcomes} == {"exploratory"}
    assert {each.outcome.name for each in leading(made)} == {"chose_target", "said_plausible"}
    assert not any(each.spec.registered for each in made.contrasts)


@on_sqlite
def test_analyze_says_what_it_counts_together_and_writes_json_and_a_page(
    answered, monkeypatch, tmp_path
):
    monkeypatch.setenv("PLAUSIBLY_HOME", str(answered.database.path.parent))
    runner = CliRunner()

    def analyze(*options):
        done = runner.invoke(cli.app, ["analyze", "demo", *map(str, options)])
        assert done.exit_code == 0, done.output
        return done.stdout

    together = "Counted together, as was asked for: all conditions of each arm."
    assert together in analyze("--by", "arm", "--outcome", "said_plausible")
    said = analyze("--outcome", "said_plausible")
    assert together not in said
    assert "chose_true" not in said
    # The tables fit a terminal of 80 columns.
    tables = said.split("Each person")[0].splitlines()[1:]
    assert max(len(line.rstrip()) for line in tables if not line.startswith("  ")) <= 80
    out = tmp_path / "page.html"
    made = json.loads(analyze("--json", "--out", out))
    assert made["page"] == str(out)
    assert out.read_text().startswith("<!doctype html>")
    for wrong, words in [
        (("--out", tmp_path), "name a page that ends in .html"),
        (("--out", tmp_path / "none" / "page.html"), "there is no folder"),
    ]:
        done = runner.invoke(cli.app, ["analyze", "demo", *map(str, wrong)])
        assert words in str(done.exception)


@on_sqlite
def test_the_page_has_an_address_for_researchers_only(answered):
    address = "/api/analysis/demo.html"
    assert answered.client.get(address).status_code == 401
    answered.log_in()
    shown = answered.client.get(address, params={"stage": "main", "version": 2})
    assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
    assert "Results: What do you see?" in shown.text
    for wrong, status in [
        (f"{address}?stage=beta", 422),
        (f"{address}?version=9", 422),
        (f"{address}?version=x", 422),
        ("/api/analysis/nope.html", 404),
    ]:
        assert answered.client.get(wrong).status_code == status, wrong


def test_a_contrast_is_planned_for_each_outcome_and_in_each_arm():
    arms = {
        "words": study.study_file.Arm(title="Words", conditions=("none", "clean")),
        "maps": study.study_file.Arm(title="Maps", conditions=("none", "clean", "noise")),
    }
    two = DEMO.model_copy(update={"arms": arms})
    known = {"said_plausible": YES, "chosen_label": LABEL}
    plan = AnalysisPlan(
        primary=("said_plausible", "chosen_label"),
        contrasts=(
            PlannedContrast(of="none", to=("clean",)),
            PlannedContrast(of="noise", to=("clean",), smallest_effect=0.2),
            PlannedContrast(of="maps", to=("words",), between="arms"),
            PlannedContrast(of="none", to=("clean",), within="maps", outcome="said_plausible"),
        ),
        smallest_effect=0.1,
        test="mixed",
    )
    specs = planned(plan, two, known)
    assert [(each.of, each.within) for each in specs] == [
        ("none", "words"),
        ("none", "maps"),
        ("noise", "maps"),
        ("maps", "none"),
        ("maps", "clean"),
        ("none", "maps"),
    ]
    assert {each.outcome.name for each in specs} == {"said_plausible"}  # a choice has no mean
    assert [each.smallest_effect for each in specs] == [0.1, 0.1, 0.2, 0.1, 0.1, 0.1]
    assert {(each.test, each.registered) for each in specs} == {("mixed", True)}


def test_conditions_with_the_same_title_stay_apart():
    same = {label: each.model_copy(update={"title": "Mistakes"} if label != "clean" else {})
            for label, each in DEMO.conditions.items()}  # fmt: skip
    titles = condition_titles(DEMO.model_copy(update={"conditions": same}))
    assert titles["none"] == "Mistakes (none)"
    assert titles["clean"] == "Clean"
    assert len(set(titles.values())) == len(titles)


def test_plain_data_has_nothing_that_json_cannot_say():
    held = {"a": float("inf"), ("x", "y"): float("nan")}
    assert plain(held) == [{"of": "a", "value": None}, {"of": ["x", "y"], "value": None}]
    assert plain({"a": (1, True, None, 0.5)}) == {"a": [1, True, None, 0.5]}
    with pytest.raises(TypeError, match="object"):
        plain(object())

"""A report on runs in which something failed: figures of the others, who is missing, and why."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from report_runs import DEFENSES, write

from engine import report
from engine.artifacts import ArtifactStore, write_json
from engine.jobs import experiment as indices
from engine.results import Results

REASON = "it failed: RuntimeError: <here>"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    store = ArtifactStore(tmp_path_factory.mktemp("runs"))
    return [write(store, seed=seed) for seed in (0, 1)]


def without(run: Results, lost) -> Results:
    """Return a run as it is stored when these roles failed."""
    recipe = run.index.recipe
    missing = {role: REASON for role in recipe.parents if lost(role)}
    assert missing
    kept = {role: parent for role, parent in recipe.parents.items() if role not in missing}
    config = {**recipe.config, "missing": missing}
    recipe = replace(recipe, config=config, parents=kept)
    with run.store.draft(recipe) as draft:
        write_json(draft / indices.FILE, config)
    return Results(run.store, run.store.get("experiment", recipe.key))


def of(defense: str):
    return lambda role: defense in role.split(":")


def built(runs) -> report.Report:
    return report.build(runs, title="Made up", command="plausibly report made-up.yaml")


def column(made: report.Report, table: str, name: str) -> set[str]:
    text = made.files[f"{report.TABLES}/{table}.csv"].decode()
    return {row[name] for row in csv.DictReader(io.StringIO(text))}


@pytest.fixture(scope="module")
def complete(runs):
    return built(runs)


def test_a_model_that_failed_with_one_seed_is_in_no_figure_and_named_below_each(runs, complete):
    made = built([runs[0], without(runs[1], of("penalty_loss"))])
    # The swept model failed, so that nothing was swept.
    assert set(complete.figures) - set(made.figures) == {"sweeps-made_up"}
    others = {*DEFENSES} - {"penalty_loss"}
    assert column(made, "curves-fgsm-made_up", "source") == others
    assert column(made, "target-shares-jsma-made_up", "defense") == others
    assert column(made, "models-made_up", "defense") == {*DEFENSES}
    assert column(made, "models-made_up", "not_measured") == {"", REASON}
    page = made.files[report.PAGE].decode()
    sentence = "Not measured: “Gradient penalty”; the top of the page says why."
    assert page.count(sentence) == len(made.figures) - 1  # the table of models has it in its row
    assert "Made up, seed 1: the model “Gradient penalty” (it failed: Run" in page
    # What is drawn is what it was.
    both = column(complete, "gradient-norms-made_up", "value")
    assert column(made, "gradient-norms-made_up", "value") < both


def test_a_part_that_failed_is_missing_where_it_is_shown_and_nowhere_else(runs, complete):
    lost = {
        "measures:none", "ladder:none", "grid:jsma:none", "training_time:none", "curve:fgsm:none",
        "minimum_norm:smallest:none", "maps:none:input_gradient",
        "curve:linf_test:distillation",
    }  # fmt: skip
    made = built([without(runs[0], lost.__contains__), runs[1]])
    assert set(made.figures) == set(complete.figures)
    for table, name in (
        ("curves-fgsm-made_up", "source"),
        ("gradient-norms-made_up", "defense"),
        ("log-probabilities-made_up", "defense"),
        ("features-made_up", "defense"),
        ("training-time-made_up", "defense"),
        ("targets-jsma-made_up", "defense"),
        ("gradients-made_up", "defense"),
        ("ladder-made_up", "defense"),
        ("doubt-made_up", "defense"),
    ):
        assert column(made, table, name) == {*DEFENSES} - {"none"}, table
    assert column(made, "vulnerable-made_up", "defense") == {*DEFENSES}
    text = made.files[f"{report.TABLES}/models-made_up.csv"].decode()
    (zero,) = [line for line in text.splitlines() if "none,No defense,zero" in line]
    assert zero.endswith(f",,,,,,,,{REASON}")


def test_one_model_that_is_left_is_drawn_alone(runs):
    made = built([without(runs[0], of("none")), without(runs[1], of("distillation"))])
    assert column(made, "models-made_up", "quantity") > {"clean_accuracy"}
    assert "transfer-fgsm-made_up" not in made.figures  # it compares
    assert "gradients-made_up" in made.figures


def test_without_any_model_in_every_run_the_page_says_what_failed(runs):
    first = without(runs[0], lambda role: of("none")(role) or of("distillation")(role))
    made = built([first, without(runs[1], of("penalty_loss"))])
    assert made.figures == ()
    assert "the model “No defense”; the model “Distillation" in made.files[report.PAGE].decode()

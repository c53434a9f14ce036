"""The runs of an experiment, found by the name that stands in its file."""

from __future__ import annotations

import pytest

from engine.artifacts import ArtifactStore, Recipe, write_json
from engine.errors import UsageError
from engine.results import of_experiment


@pytest.fixture
def store(tmp_path):
    store = ArtifactStore(tmp_path)
    for name, label, seed in (
        ("both_pair_seed4", "pair", 4),
        ("both_pair", "pair", 3),
        ("both_digits", "digits", 3),
        ("both_digits_seed4", "digits", 4),
        ("single", "", 0),
    ):
        config = {
            "name": name,
            "experiment": name.partition("_")[0],
            "dataset_label": label,
            "seed": seed,
            "title": name,
        }
        with store.draft(Recipe("experiment", config)) as draft:
            write_json(draft / "index.json", config)
    return store


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (("both",), {"both_pair", "both_digits"}),
        (("both", 2), {"both_pair", "both_digits", "both_pair_seed4", "both_digits_seed4"}),
        (("single",), {"single"}),
        (("both_pair_seed4",), {"both_pair_seed4"}),
        (("both_digits", 2), {"both_digits", "both_digits_seed4"}),
    ],
)
def test_an_experiments_runs_are_those_of_its_datasets_and_seeds(asked, found, store):
    runs = of_experiment(store, *asked)
    assert {run.name for run in runs} == found
    assert [run.config["seed"] for run in runs] == sorted(run.config["seed"] for run in runs)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("pair",), "'pair' has not been run here; finished: both, single; or name a YAML file"),
        (("both", 3), "with 3 seeds: both_(pair|digits)_seed5, both_.*_seed5 is missing; run its"),
        (("single", 2), "with 2 seeds: single_seed1 is missing"),
    ],
)
def test_what_was_not_run_is_refused(asked, said, store):
    with pytest.raises(UsageError, match=said):
        of_experiment(store, *asked)

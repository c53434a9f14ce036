"""Made-up experiments for the rules that look at stimuli, written once for all of them."""

from functools import cache

import pytest
from synthetic import experiment, protocols

from engine.artifacts import ArtifactStore
from study_app import study
from study_app.lint.looking import look


@pytest.fixture(scope="session")
def linted_store(tmp_path_factory):
    return ArtifactStore(tmp_path_factory.mktemp("linted"))


@pytest.fixture(scope="session")
def results(linted_store):
    return {"demo": experiment(linted_store), "protocols": protocols(linted_store)}


@pytest.fixture(scope="session")
def shipped_look(linted_store, results):
    """What the linter sees in a shipped study, by its name; each is looked at once."""
    return cache(lambda name: look(study.load(name), linted_store))

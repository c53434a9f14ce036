"""A live study, and the people who are simulated beside it."""

from __future__ import annotations

import pytest
from lab import open_lab
from synthetic import experiment

from engine.artifacts import ArtifactStore


@pytest.fixture(scope="session")
def simulated_store(tmp_path_factory) -> ArtifactStore:
    store = ArtifactStore(tmp_path_factory.mktemp("artifacts of simulations"))
    experiment(store)
    return store


@pytest.fixture
def lab(simulated_store, tmp_path):
    """The study `demo`, live, of the stage main; nobody has come yet."""
    opened = open_lab(tmp_path, store=simulated_store)
    yield opened
    opened.database.close()

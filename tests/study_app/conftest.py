"""A lab of its own for each test, on each database; the experiment is made once."""

import pytest
from lab import Lab, open_lab
from synthetic import experiment

from engine.artifacts import ArtifactStore


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> ArtifactStore:
    """The synthetic experiment; not to be changed."""
    made = ArtifactStore(tmp_path_factory.mktemp("artifacts"))
    experiment(made)
    return made


@pytest.fixture
def lab(tmp_path, store, database) -> Lab:
    return open_lab(tmp_path, database, store)

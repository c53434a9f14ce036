"""A lab of its own for each test, on each database; the experiment is made once."""

from collections.abc import Iterator

import pytest
from lab import Lab, open_lab
from synthetic import experiment

from db.repository import researchers
from engine.artifacts import ArtifactStore


@pytest.fixture(autouse=True, scope="session")
def quick_passwords() -> Iterator[None]:
    """A strong hash takes as long as most of these tests; tests/db holds that it is strong."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(researchers, "SCRYPT_N", 16)
        yield


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> ArtifactStore:
    """The synthetic experiment; not to be changed."""
    made = ArtifactStore(tmp_path_factory.mktemp("artifacts"))
    experiment(made)
    return made


@pytest.fixture
def lab(tmp_path, store, database) -> Lab:
    return open_lab(tmp_path, database, store)

"""A lab of its own for each test, on each database; the experiment is made once."""

from collections.abc import Iterator

import pytest
from lab import Lab, open_lab
from synthetic import experiment

from db.repository import researchers
from engine.artifacts import ArtifactStore
from study_app.lint import looking
from study_app.power import kept


@pytest.fixture(autouse=True, scope="session")
def quick_passwords() -> Iterator[None]:
    """A strong hash takes as long as most of these tests; tests/db holds that it is strong."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(researchers, "SCRYPT_N", 16)
        yield


@pytest.fixture(autouse=True, scope="session")
def power_looked_at_once() -> Iterator[None]:
    """The linter simulates a design's power, the same each time; tests/study_app/power tests it."""
    real, known = looking.quick, {}

    def quick(study, home=None, results=None):
        if kept.find(study, home) is not None:
            return real(study, home, results)
        run = None if results is None else results.index.key
        decides = kept.key(study), str(study.quota), run
        if decides not in known:
            known[decides] = real(study, home, results)
        return known[decides]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looking, "quick", quick)
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

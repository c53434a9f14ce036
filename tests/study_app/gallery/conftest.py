"""The synthetic experiment with a real study over it, so that some source images are held back."""

from datetime import UTC, datetime

import pytest
from lab import open_lab

from db import repository
from study_app.gallery.catalog import catalog


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    made = open_lab(tmp_path_factory.mktemp("lab"))
    yield made
    made.database.close()


@pytest.fixture(scope="session")
def exhibit(lab):
    found = catalog(lab.state.store.root)
    return found.exhibit(next(iter(found.titles())))


@pytest.fixture(scope="session")
def held_back(lab):
    with lab.database.read() as s:
        return repository.embargoed_image_ids(s, now=datetime.now(UTC))


@pytest.fixture(scope="session")
def shown(exhibit, held_back):
    """A test image that anybody may see."""
    return exhibit.visible(held_back)[3]


@pytest.fixture(scope="session")
def hidden(exhibit, held_back):
    """A test image of the running study."""
    return next(i for i, image in enumerate(exhibit.image_ids) if image in held_back)

"""A laboratory of its own for each test, on each database."""

import pytest
from stored_study import Lab

from db.session import Database


@pytest.fixture
def lab(database: Database) -> Lab:
    return Lab(database)

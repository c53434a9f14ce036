"""A lab of its own for each test."""

import pytest
from lab import Lab, open_lab


@pytest.fixture
def lab(tmp_path):
    made: Lab = open_lab(tmp_path)
    yield made
    made.database.close()

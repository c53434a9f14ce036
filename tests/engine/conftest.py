"""One thread of computation a test process: several run side by side, and bits stay the same."""

import os
from collections.abc import Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def one_worker() -> Iterator[None]:
    """A worker takes longer to start than what the tests compute; who needs two says so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.sched_getaffinity", lambda _pid: {0})
        yield

"""The data that scikit-learn carries, without importing it: that takes a second and more."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from engine.errors import PlausiblyError


def file(name: str) -> Path:
    """Return where a file of scikit-learn's package `datasets` lies ("images/china.jpg").

    Raises:
        PlausiblyError: scikit-learn is not installed.
    """
    found = find_spec("sklearn")
    if found is None or not found.submodule_search_locations:
        raise PlausiblyError("the package scikit-learn is missing; install Plausibly anew")
    return Path(found.submodule_search_locations[0]) / "datasets" / name

"""What a newcomer relies on when looking for something: rooms with faces, one name for one thing.

Which room may use which is held by import-linter (`make lint`).
"""

from __future__ import annotations

import ast
import importlib
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("engine", "db", "study_app")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def module(path: Path) -> str:
    """A file's module; a room's face is the room."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path) for path in FILES}


def test_every_folder_says_what_it_is_for():
    folders = {path.parent for path in FILES}
    silent = [
        folder
        for folder in folders
        if not ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    ]
    assert silent == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_face_exports_what_it_has(package):
    for name in sorted(name for name in MODULES if name.split(".")[0] == package):
        face = ROOT / name.replace(".", "/") / "__init__.py"
        if face.exists() and "__all__" in face.read_text():
            loaded = importlib.import_module(name)
            assert [each for each in loaded.__all__ if not hasattr(loaded, each)] == [], name


TWICE = {
    "a kind's figure has the kind's name": ROOT / "engine/report/figures",
    "a table and what writes it have one name": ROOT / "db/models",
}


def test_no_two_modules_of_a_package_have_one_name():
    named = defaultdict(list)
    for path in FILES:
        if path.stem != "__init__" and path.parent not in TWICE.values():
            named[path.relative_to(ROOT).parts[0], path.stem].append(path)
    assert [paths for paths in named.values() if len(paths) > 1] == []

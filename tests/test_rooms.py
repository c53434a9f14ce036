"""What a newcomer relies on when looking for something: rooms with faces, one name for one thing.

Which room may use which is held by import-linter (`make lint`).
"""

from __future__ import annotations

import ast
import importlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("engine", "db", "study_app")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
PRODUCT = [path for path in FILES if "migrations" not in path.parts]
SCRIPTS = sorted((ROOT / "study_app/player/script").rglob("*.js"))
FONT = ROOT / "engine/datasets/_glyphs.py"
LINES = 400
FUNCTION = 60


def module(path: Path) -> str:
    """A file's module; a room's face is the room."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path) for path in FILES}


def room(name: str) -> str:
    """`engine.attacks` of `engine.attacks.pgd`; a file that stands beside the rooms is its own."""
    return ".".join(name.split(".")[:2])


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of every import from one of our packages; name "" for a whole module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole, "") if whole in MODULES else (node.module, alias.name)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def test_every_folder_says_what_it_is_for():
    folders = {path.parent for path in FILES}
    silent = [
        folder
        for folder in folders
        if not ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    ]
    assert silent == []


def test_what_begins_with_an_underscore_stays_in_its_room():
    told = [
        f"{module(path)} uses {name}.{what}"
        for path in PRODUCT
        for name, what in imports(path)
        if name.split(".")[0] in PACKAGES
        and room(name) != room(module(path))
        and (what.startswith("_") or any(part.startswith("_") for part in name.split(".")))
        and not what.startswith("__")
    ]
    assert told == []


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
    "the norms that an attack found are a kind of their own": ROOT / "engine/jobs/minimum_norm.py",
}


def test_no_two_modules_of_a_package_have_one_name():
    named = defaultdict(list)
    for path in FILES:
        if path.stem != "__init__" and not {path, path.parent} & set(TWICE.values()):
            named[path.relative_to(ROOT).parts[0], path.stem].append(path)
    assert [paths for paths in named.values() if len(paths) > 1] == []


def test_no_file_is_longer_than_one_wants_to_read():
    long = {
        path.relative_to(ROOT).as_posix(): count
        for path in [*PRODUCT, *SCRIPTS]
        if path != FONT and (count := path.read_text().count("\n")) > LINES
    }
    assert long == {}


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many lines a function has, its docstring included."""
    return function.end_lineno - function.lineno + 1


def test_no_function_is_longer_than_a_screen():
    long = {
        f"{module(path)}.{node.name}": lines_of(node)
        for path in PRODUCT
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines_of(node) > FUNCTION
    }
    assert long == {}

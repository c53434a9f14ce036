"""The code of a network of one's own: which files it is, and a hash that says what they do.

A module counts with every module that it imports, directly or not, from the folder that it lies in
(of a package: the folder that its top-level package lies in). Comments and layout do not count:
what is hashed is the syntax tree. What is hashed is also what runs: modules that have yet to be
imported are compiled from the text that was hashed, and an imported file that changed since is an
error.
"""

from __future__ import annotations

import importlib
import site
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from engine import canonical
from engine.errors import UsageError
from engine.models._syntax import parsed

_FORM = 1
"""Of the hash: raised when equal code gets another one."""
_PLATFORM = frozenset(("torch",))
"""Not looked into: thousands of files, whose version every manifest has."""
_OWN = Path(__file__).resolve().parents[1]
"""Nor is this program, whose members have versions."""
_BEGAN = time.time()


@dataclass(frozen=True)
class Code:
    """The source of a module, and of what it imports from the same folder.

    Attributes:
        files: SHA-256 of each file's syntax tree, by its path from that folder; none where the
            module has no source in a file.
        last_changed: the path of the file that was written last, and when.
    """

    files: Mapping[str, str]
    last_changed: str

    @property
    def sha256(self) -> str | None:
        """SHA-256 over all of it; None where there is no source."""
        return canonical.sha256({"form": _FORM, "files": self.files}) if self.files else None


@dataclass(frozen=True)
class _File:
    path: Path
    text: bytes


_Read: TypeAlias = Callable[[str, Path], bytes | None]
"""Gives the text of a module that lies at a path; None where it cannot be read."""


def load(name: str) -> ModuleType:
    """Import the module `name` from the text that `running` hashes; raises what importing does."""
    if name not in sys.modules:
        _FINDER.serve(_scan(name, _on_disk))
    return importlib.import_module(name)


def running(name: str) -> Code:
    """Return the code that the imported module `name` runs, with what it may yet import.

    The files may hold something else meanwhile: see `on_disk`.

    Raises:
        UsageError: somebody else imported a file here that was changed after that, so that
            nobody knows what runs.
    """
    files = _scan(name, _in_process)
    _FINDER.serve({each: file for each, file in files.items() if each not in sys.modules})
    return _code(name, files)


def on_disk(name: str) -> Code:
    """Return the code of the module `name` as it lies in its files."""
    return _code(name, _scan(name, _on_disk))


def stale(name: str, files: Sequence[str]) -> UsageError:
    """Return the error of a process that has imported what these files no longer hold."""
    return UsageError(
        f"the code of {name!r} was changed after this process had imported it "
        f"({', '.join(files)}); start the process anew"
    )


def changes(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the paths of files that are not the same, sorted."""
    return sorted(path for path in {*then, *now} if then.get(path) != now.get(path))


def _code(name: str, files: Mapping[str, _File]) -> Code:
    if not files:
        return Code({}, "")
    root = _root(name)
    assert root is not None
    by_path = {file.path.relative_to(root).as_posix(): file for file in files.values()}
    written = {path: _written(file.path) for path, file in by_path.items()}
    last = max(written, key=lambda path: written[path])
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(written[last]))
    hashes = {path: parsed(file.text).sha256 for path, file in sorted(by_path.items())}
    return Code(hashes, f"{last}, {when}")


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


# Which files ----------------------------------------------------------------------------


def _scan(name: str, read: _Read) -> dict[str, _File]:
    """Return the files of a module and of all that it imports from the same folder, by module."""
    root = _root(name)
    if root is None:
        return {}
    top = name.partition(".")[0]
    installed = _is_installed(root)
    found: dict[str, _File] = {}
    left = list(_with_packages(name))
    while left:
        each = left.pop()
        inside = each == top or each.startswith(f"{top}.")
        if each in found or (installed and not inside):
            continue
        path = _path(root, each)
        if path is not None and _OWN in path.parents and top != _OWN.name:
            continue
        text = None if path is None else read(each, path)
        if path is None or text is None:
            continue
        found[each] = _File(path, text)
        if top not in _PLATFORM:
            left += _imports(each, path.name == "__init__.py", text)
    if top in _PLATFORM:
        return {each: file for each, file in found.items() if each == name}
    return found


def _root(name: str) -> Path | None:
    """Return the folder that a module, or its top-level package, lies in; None without one."""
    top = name.partition(".")[0]
    loaded = sys.modules.get(top)
    # Finding a module without packages around it imports nothing.
    spec = find_spec(top) if loaded is None else getattr(loaded, "__spec__", None)
    if spec is None:
        return None
    if spec.submodule_search_locations is None:
        return Path(spec.origin).resolve().parent if spec.has_location and spec.origin else None
    roots = [Path(place).resolve().parent for place in spec.submodule_search_locations]
    return next((root for root in roots if _path(root, name)), None)


def _path(root: Path, name: str) -> Path | None:
    """Return the file of a module below `root`."""
    place = root.joinpath(*name.split("."))
    for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
        if path.is_file():
            return path
    return None


def _is_installed(root: Path) -> bool:
    paths = {sysconfig.get_paths()[key] for key in ("purelib", "platlib", "stdlib", "platstdlib")}
    places = {*paths, *site.getsitepackages(), site.getusersitepackages()}
    named = root.name in ("site-packages", "dist-packages")
    return named or root in {Path(place).resolve() for place in places}


def _with_packages(name: str) -> Iterator[str]:
    """Yield the module and the packages that it is in, whose code runs before it does."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])


def _imports(name: str, is_package: bool, text: bytes) -> set[str]:
    """Return the names of all that a module imports; some may be no modules."""
    package = name.split(".") if is_package else name.split(".")[:-1]
    found: set[str] = set()
    for level, module, imported in parsed(text).imports:
        above = package[: len(package) - level + 1] if level else []
        base = [*above, *(module.split(".") if module else [])]
        # What is imported from a package may be one of its modules.
        found.update(_with_packages(".".join([*base, *([imported] if imported else [])])))
    return found


# What runs ------------------------------------------------------------------------------


def _on_disk(name: str, path: Path) -> bytes | None:
    if _is_another(name, path):
        return None
    try:
        return path.read_bytes()
    except OSError:
        return None


def _in_process(name: str, path: Path) -> bytes | None:
    """Return the text of a module that this process runs, or will when it imports it."""
    module = sys.modules.get(name)
    if _is_another(name, path):
        return None
    if module is None:
        served = _FINDER.files.get(name)
        return served.text if served is not None and served.path == path else _on_disk(name, path)
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    if isinstance(loader, _Loader):
        return loader.text
    if _compiled_from_another(module, path):
        raise stale(name, [path.name])
    return _on_disk(name, path)


def _is_another(name: str, path: Path) -> bool:
    """Say whether the name stands for a module here that does not lie at `path`: a built-in one."""
    if name not in sys.modules:
        return False
    try:
        return not path.samefile(str(getattr(sys.modules[name], "__file__", None)))
    except OSError:
        return True


def _compiled_from_another(module: ModuleType, path: Path) -> bool:
    """Say whether somebody imported the module here, and its file was written after that.

    Python notes beside a file of which time and size the text was that it compiled.
    """
    cached = getattr(getattr(module, "__spec__", None), "cached", None)
    try:
        there = path.stat()
        header = Path(cached or "").read_bytes()[4:16]
    except OSError:
        return False
    if there.st_mtime < _BEGAN or header[:4] != bytes(4):
        return False
    compiled = tuple(int.from_bytes(header[at : at + 4], "little") for at in (4, 8))
    return compiled != (int(there.st_mtime) & 0xFFFFFFFF, there.st_size & 0xFFFFFFFF)


class _Loader(SourceFileLoader):
    """Runs the text that was hashed, whatever the file, or what was compiled of it, holds now."""

    def __init__(self, name: str, file: _File) -> None:
        super().__init__(name, str(file.path))
        self.text = file.text

    def get_code(self, fullname: str) -> Any:
        return self.source_to_code(self.text, self.path)


class _Finder(MetaPathFinder):
    """Finds the modules that were hashed, where Python would find the same files."""

    def __init__(self) -> None:
        self.files: dict[str, _File] = {}

    def serve(self, files: Mapping[str, _File]) -> None:
        """Have these modules run these texts when they are imported."""
        self.files.update(files)
        if self not in sys.meta_path:
            # Before what finds files, and behind what finds built-in modules.
            places = [each is PathFinder for each in sys.meta_path]
            sys.meta_path.insert(places.index(True) if any(places) else len(places), self)

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        file = self.files.get(fullname)
        if file is None:
            return None
        others = (each for each in sys.meta_path if each is not self)
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((each for each in found if each is not None), None)
        if spec is None or type(spec.loader) is not SourceFileLoader or spec.origin is None:
            return None
        with suppress(OSError):
            if file.path.samefile(spec.origin):
                return spec_from_file_location(
                    fullname,
                    spec.origin,
                    loader=_Loader(fullname, file),
                    submodule_search_locations=spec.submodule_search_locations,
                )
        return None


_FINDER = _Finder()

"""Joins scripts that import from each other, ES modules, into the one file that the browser loads.

There is no build step: at the start of the server each module's text is put after those that it
imports from, without its imports. So all share one scope, and no two may use one name. Lines that
are nothing but comment, a third of it all, stay here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.[^"]*)";\n', re.MULTILINE)
_DECLARED = r"(?:async )?(?:function\*?|class|const|let|var) +"
_EXPORT = re.compile(rf"^export (?={_DECLARED}\w)", re.MULTILINE)
_NAME = re.compile(rf"^(export )?(?:default )?{_DECLARED}([\w$]+|[\[{{])", re.MULTILINE)
_COMMENT = re.compile(r"^ *(?://.*|/\*(?:[^*]|\*(?!/))*\*/)\n", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b(?! default ).*", re.MULTILINE)


class ScriptError(ValueError):
    """Scripts cannot be joined; the message names the file and what to write instead."""


@dataclass(frozen=True)
class _Module:
    """One script: `imports` are the names it takes from each file, `body` the rest of its text."""

    path: Path
    imports: dict[Path, list[str]]
    names: frozenset[str]
    exports: frozenset[str]
    body: str


def join_modules(entry: Path) -> str:
    """Return the ES module made of `entry` and all that it imports from, directly or not.

    Args:
        entry: the script whose ``export default`` is the whole module's.

    Raises:
        ScriptError: a form of import or export other than named ones; a file or a name that is not
            there; scripts that import from each other in a circle; one name at the top level of two
            files.
    """
    folder = entry.parent
    modules: dict[Path, _Module] = {}  # callees before callers
    _visit(entry.resolve(), [], modules)
    owners: dict[str, Path] = {}
    for module in modules.values():
        for name in sorted(module.names):
            if name in owners:
                both = f"{_short(owners[name], folder)} and {_short(module.path, folder)}"
                raise ScriptError(
                    f"{name!r} is declared in {both}: the scripts share one scope, rename one"
                )
            owners[name] = module.path
    return "\n".join(
        f"// --- {_short(module.path, folder)} ---\n\n{module.body}" for module in modules.values()
    )


def _visit(path: Path, callers: list[Path], modules: dict[Path, _Module]) -> None:
    """Add a script to `modules`, after those that it imports from."""
    if path in callers:
        circle = " -> ".join(each.name for each in [*callers[callers.index(path) :], path])
        raise ScriptError(f"scripts import from each other in a circle: {circle}")
    if path in modules:
        return
    module = _read(path)
    for imported, names in module.imports.items():
        if not imported.is_file():
            raise ScriptError(f"{path.name} imports from {imported.name}, which is not there")
        _visit(imported, [*callers, path], modules)
        for name in names:
            if name not in modules[imported].exports:
                raise ScriptError(
                    f"{path.name} imports {name!r} from {imported.name}, which does not export it"
                )
    modules[path] = module


def _read(path: Path) -> _Module:
    text = path.read_text(encoding="utf-8")
    imports: dict[Path, list[str]] = {}
    for names, source in _IMPORT.findall(text):
        wanted = [name.strip() for name in names.split(",") if name.strip()]
        imports.setdefault((path.parent / source).resolve(), []).extend(wanted)
    declared = _NAME.findall(text)
    body = _COMMENT.sub("", _EXPORT.sub("", _IMPORT.sub("", text)))
    other = _OTHER.search(body)
    renamed = [name for names in imports.values() for name in names if not name.isidentifier()]
    if other or renamed:
        raise ScriptError(
            f"{path.name}: {other.group() if other else renamed[0]!r} cannot be joined; write "
            'import { name } from "./file.js"; and export before function, class, const or let'
        )
    if any(name in "[{" for _, name in declared):
        raise ScriptError(f"{path.name}: a pattern at the top level; declare each name by itself")
    open_line = next((line for line in body.splitlines() if line.count("`") % 2), None)
    if open_line:
        # What looks like a comment, or like an import, might be words there.
        raise ScriptError(f"{path.name}: {open_line.strip()!r}: a template of several lines")
    return _Module(
        path=path,
        imports=imports,
        names=frozenset(name for _, name in declared),
        exports=frozenset(name for exported, name in declared if exported),
        body=re.sub(r"\n{3,}", "\n\n", body).strip("\n") + "\n",
    )


def _short(path: Path, folder: Path) -> str:
    return path.relative_to(folder.resolve()).as_posix()

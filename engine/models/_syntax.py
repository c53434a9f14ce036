"""What a Python file says, whatever its comments and layout: a hash of its syntax tree."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

_LEFT_OUT = frozenset(("ctx", "kind", "type_comment", "type_ignores"))
"""Fields of the syntax tree that change nothing."""


@dataclass(frozen=True)
class Text:
    """What is known of a Python file.

    Attributes:
        sha256: of its syntax tree. It is the same in every version of Python, as far as the tree
            is: fields that are empty are left out, since versions add such. A file that cannot be
            parsed is hashed as it is.
        imports: what it imports, wherever in it: level (of a relative import), module, name.
    """

    sha256: str
    imports: tuple[tuple[int, str, str], ...]


@lru_cache(maxsize=4096)
def parsed(text: bytes) -> Text:
    """Return what is known of a Python file by what is in it."""
    try:
        words, imports = _words(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError):
        return Text(hashlib.sha256(b"no syntax tree\0" + text).hexdigest(), ())
    return Text(hashlib.sha256("\n".join(words).encode()).hexdigest(), tuple(imports))


def _words(tree: ast.AST) -> tuple[list[str], list[tuple[int, str, str]]]:
    """Write down a tree from its root, no two alike; and what it imports.

    Without recursion: trees may be deep.
    """
    words: list[str] = []
    imports: list[tuple[int, str, str]] = []
    left: list[Any] = [tree]
    while left:
        node = left.pop()
        if isinstance(node, ast.AST):
            if isinstance(node, ast.Constant):
                words.append(_constant(node.value))
                continue
            if isinstance(node, ast.Import):
                imports += [(0, alias.name, "") for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                imports += [(node.level, node.module or "", alias.name) for alias in node.names]
            words.append(type(node).__name__)
            left.append(_END)
            for field in _fields(node._fields):
                value = getattr(node, field, None)
                if value is not None and value != []:
                    left += (value, _Field(field))
        elif isinstance(node, list):
            words.append(f"[{len(node)}")
            left += reversed(node)
        elif isinstance(node, _Field):
            words.append(f".{node}")
        else:  # a name, a number, None in a list (the key of {**more}); the end of a node
            words.append(repr(node))
    return words, imports


class _Field(str):
    """The name of a field, to be told from names in the code."""

    __slots__ = ()


_END = 0.5
"""No tree holds it: numbers in the code are constants."""


@cache
def _fields(given: tuple[str, ...]) -> list[str]:
    """Return those of the fields of a node that matter, sorted."""
    return sorted(set(given) - _LEFT_OUT)


def _constant(value: Any) -> str:
    return f"{type(value).__name__} {hex(value) if type(value) is int else value!r}"

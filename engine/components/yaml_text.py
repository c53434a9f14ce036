"""YAML as people may send it: bounded in size, depth and numbers, and without control characters.

The one place where Plausibly reads YAML. What PyYAML raises, in whatever way, becomes one sentence
with the line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any, TypeVar

import yaml

T = TypeVar("T")

MAX_BYTES = 2**20
MAX_DEPTH = 40
MAX_NODES = 20_000
"""Of a document with every alias written out: ten aliases of ten aliases are many in few bytes."""
_LONGEST_NUMBER = 64
"""Characters; of more no number in a study or an experiment has any use."""


class RefusedError(yaml.YAMLError):
    """It is YAML, and larger, deeper or odder than any study or experiment needs to be."""


def parse(text: str) -> Any:
    """Return what a YAML document holds.

    Refused: a key that is there twice, of which PyYAML keeps the last without a word; more than
    MAX_BYTES, MAX_DEPTH or MAX_NODES; whole numbers of more than 64 bits; control characters. 1e-3
    is a number, as in YAML 1.2 and JSON; PyYAML wants 1.0e-3.

    Raises:
        RefusedError: it is beyond the bounds; the message says in which line.
        yaml.YAMLError: it is no YAML.
    """
    return _read(text, lambda loader, root: loader.construct_document(root))


def tree(text: str) -> yaml.Node | None:
    """Return the parts of a YAML document, each with its place; None for an empty one.

    Raises:
        RefusedError, yaml.YAMLError: as `parse`, but for what single parts hold.
    """
    return _read(text, lambda loader, root: root)


def _read(text: str, made: Callable[[_Loader, yaml.Node], T]) -> T | None:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise RefusedError(f"it is larger than {MAX_BYTES // 2**20} MiB")
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _require_small(root)
        return made(loader, root)
    except yaml.YAMLError:
        raise
    except Exception as error:
        raise yaml.YAMLError(f"it cannot be read ({error})") from None
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, with bounds."""

    _depth = _count = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        # PyYAML goes down by calling itself: without a bound Python's own ends the program.
        self._depth, self._count = self._depth + 1, self._count + 1
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if self._depth > MAX_DEPTH:
            raise RefusedError(f"{_line(event)}: more than {MAX_DEPTH} levels deep")
        if self._count > MAX_NODES:
            raise RefusedError(f"{_line(event)}: more than {MAX_NODES} parts")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.YAMLError(f"{_line(key)}: the key {key.value!r} is there twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            made = super().construct_object(node, deep)
        except yaml.YAMLError:
            raise
        except Exception as error:
            # "!!int x", a 13th month: PyYAML leaves these to Python, each in its own way.
            raise RefusedError(f"{_line(node)}: {_shown(node)} cannot be read ({error})") from None
        if isinstance(made, str):
            _require_text(made, node)
        return made

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if len(node.value) <= _LONGEST_NUMBER:
            made: int = super().construct_yaml_int(node)
            if -(2**63) <= made < 2**63:
                return made
        raise RefusedError(f"{_line(node)}: the number {_shown(node)} is too large")


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def _require_small(root: yaml.Node) -> None:
    """Refuse what is too large or deep with every alias written out, or has no end."""
    known: dict[int, tuple[int, int]] = {}
    within: set[int] = set()

    def extent(node: yaml.Node) -> tuple[int, int]:
        """Parts and levels of a node. An alias stands behind its anchor: its extent is known."""
        if id(node) in within:
            raise RefusedError(f"{_line(node)}: it holds itself by an alias")
        if id(node) not in known:
            within.add(id(node))
            parts = [extent(child) for child in _children(node)]
            within.discard(id(node))
            known[id(node)] = (
                1 + sum(count for count, _ in parts),
                1 + max((depth for _, depth in parts), default=0),
            )
        return known[id(node)]

    count, depth = extent(root)
    if count > MAX_NODES:
        raise RefusedError(f"it has more than {MAX_NODES} parts, with every alias written out")
    if depth > MAX_DEPTH:
        raise RefusedError(f"it is more than {MAX_DEPTH} levels deep by its aliases")


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _require_text(text: str, node: yaml.Node) -> None:
    """Refuse what a terminal would obey, and halves of characters, which nothing can store."""
    for each in text:
        if each not in "\n\t" and unicodedata.category(each) in ("Cc", "Cs"):
            raise RefusedError(
                f"{_line(node)}: the text holds the control character U+{ord(each):04X}; leave it "
                "out"
            )


def _line(where: Any) -> str:
    return f"line {where.start_mark.line + 1}"


def _shown(node: yaml.Node) -> str:
    text = node.value if isinstance(node, yaml.ScalarNode) else node.tag
    return f"{text[:20]!r}…" if len(text) > 20 else repr(text)

"""What is wrong with a document that somebody wrote: every place, in words, with its line."""

from __future__ import annotations

import datetime
import difflib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from engine.components import yaml_text

Place = tuple[int | str, ...]


def meant(name: str, known: Iterable[str]) -> str:
    """Return the question whether a similar name is meant; "" where none is similar."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def mean_text(problem: Any) -> str:
    """Return what YAML made of a text without quotes, where a text is wanted; else ""."""
    if problem["type"] != "string_type":
        return ""
    match problem["input"]:
        case bool():
            return (
                ": YAML reads yes, no, on, off, true and false without quotes as true or false; "
                "put it in quotes"
            )
        case int() | float():
            return ": YAML reads it as a number; put it in quotes"
        case datetime.date():
            return ": YAML reads it as a date; put it in quotes"
    return ""


def in_words(
    kind: type[BaseModel], document: Mapping[str, Any], error: ValidationError, text: str
) -> list[str]:
    """Return a line for each problem of a document, with its place and, if it is there, its line.

    Args:
        kind: what it should be.
        document: as it was read.
        error: what its validation said.
        text: what it was read from.
    """
    lines = _Lines(text)
    return [line for each in _all(kind, document, error) for line in _said(kind, each, lines)]


def _all(kind: type[BaseModel], document: Mapping[str, Any], error: ValidationError) -> list[Any]:
    """Return all problems, those too of what holds between parts, if the wrong ones are no matter.

    A part that is wrong keeps the document from being judged as a whole. So it is judged without
    those that `kind.apart` names, and without unknown keys.
    """
    found: list[Any] = list(error.errors())
    wrong = {each["loc"][0] for each in found if each["loc"]}
    apart: frozenset[str] = getattr(kind, "apart", frozenset())
    if not wrong or not wrong <= apart | (set(document) - set(kind.model_fields)):
        return found
    try:
        kind(**{key: value for key, value in document.items() if key not in wrong})
    except ValidationError as whole:
        found += [each for each in whole.errors() if not each["loc"]]
    return found


def _said(kind: type[BaseModel], problem: Any, lines: _Lines) -> Iterator[str]:
    """Yield a line for a problem; the whole document's may be several, each with its place."""
    place: Place = problem["loc"]
    if place:
        named = ".".join(str(part) for part in place)
        yield f"  {named}: {_message(kind, problem)}{lines.of(place)}"
        return
    for line in _message(kind, problem).splitlines():
        parts = line.partition(":")[0].split(".")
        yield f"  {line}{lines.of(tuple(int(p) if p.isdigit() else p for p in parts))}"


def _message(kind: type[BaseModel], problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        *above, key = problem["loc"]
        known = _keys(kind, above)
        return f"unknown key{meant(str(key), known)}" + (
            f"; known: {', '.join(sorted(known))}" if known else ""
        )
    return str(problem["msg"]).removeprefix("Value error, ") + mean_text(problem)


def _keys(kind: Any, place: Sequence[int | str]) -> list[str]:
    """Return the keys of the part of a document that stands at `place`."""
    here = [kind]
    for part in place:
        here = [below for each in here for below in _below(each, part)]
    return [key for each in here for key in each.model_fields]


def _below(kind: type[BaseModel], part: int | str) -> list[type[BaseModel]]:
    """Return the models that may stand under a key; an index changes nothing."""
    if isinstance(part, int):
        return [kind]
    field = kind.model_fields.get(part)
    # The label of a mapping is no field: what stands there was found with the mapping itself.
    return [kind] if field is None else list(_models(field.annotation))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for argument in typing.get_args(annotation):
        yield from _models(argument)


class _Lines:
    """Where the parts of a YAML text stand."""

    def __init__(self, text: str) -> None:
        try:
            self._root = yaml_text.tree(text)
        except yaml.YAMLError:
            self._root = None

    def of(self, place: Place) -> str:
        """Return " (line 12)" for a place, or for the part that lacks it; "" if there is none."""
        node, line = self._root, None
        for part in place:
            found = _under(node, part)
            if found is None:
                break
            node, line = found
        return "" if line is None else f" (line {line})"


def _under(node: Any, part: int | str) -> tuple[Any, int] | None:
    """Return what stands under a key or index, and the line of the key."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if getattr(key, "value", None) == str(part):
                return value, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    return None

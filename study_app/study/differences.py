"""What differs between two versions of a study, and whether their answers mean the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from study_app.study.study_file import Study

ABSENT = object()
"""Stands for what one of the two versions does not have."""

_NAMES = ("label", "name", "rule")
"""Keys that name a part of a list."""

_MEANING = re.compile(
    r"experiment|experiment run|selection|repeats|exclusions\..*|arms\.[^.]*(\.conditions)?|"
    r"conditions\.[^.]*(\.(?!title$|presentations$).*)?"
)
"""Paths of what an answer is an answer to, and which answers count."""

LONGEST = 60
"""Letters of a value that are shown."""


@dataclass(frozen=True)
class Difference:
    """One part that differs: its place in the study file, what it was and what it is."""

    path: str
    was: Any
    now: Any

    @property
    def changes_meaning(self) -> bool:
        """Whether answers before and after are to be told apart.

        So it is with what a condition shows and asks, which conditions people see, and which
        answers count; not with texts, titles, numbers of presentations, quotas, forms or the
        declared analysis.
        """
        return _MEANING.fullmatch(self.path) is not None

    def __str__(self) -> str:
        if isinstance(self.was, list) and isinstance(self.now, list):
            new = [f"with {_shown(each)}" for each in self.now if each not in self.was]
            gone = [f"without {_shown(each)}" for each in self.was if each not in self.now]
            return f"{self.path}: now {', '.join([*new, *gone]) or 'in another order'}"
        return f"{self.path}: was {_shown(self.was)}, now {_shown(self.now)}"


def differences(
    before: Study,
    after: Study,
    *,
    runs: tuple[str | None, str | None] = (None, None),
) -> list[Difference]:
    """Return all that differs, in order of the file, what changes the meaning first.

    Args:
        before: one version.
        after: the other.
        runs: the keys of the experiments that their designs are drawn from, where they are known.
    """
    old, new = (
        {**dict(_flat(study.to_json())), **({"experiment run": run[:12]} if run else {})}
        for study, run in zip((before, after), runs, strict=True)
    )
    found = [
        Difference(path, old.get(path, ABSENT), new.get(path, ABSENT))
        for path in dict.fromkeys([*new, *old])
        if old.get(path, ABSENT) != new.get(path, ABSENT)
    ]
    return sorted(_outermost(found), key=lambda each: not each.changes_meaning)


def briefly(found: list[Difference]) -> list[Difference]:
    """Return differences for people: a question that all conditions ask is named once."""
    asked = {
        (each.path.removeprefix("questions."), str(each)[len(each.path) :])
        for each in found
        if each.path.startswith("questions.")
    }

    def told(each: Difference) -> bool:
        _, in_condition, path = each.path.partition(".questions.")
        return bool(in_condition) and (path, str(each)[len(each.path) :]) in asked

    return [each for each in found if not told(each)]


@dataclass(frozen=True, eq=False)
class _Whole:
    """A part that is made of parts: what differs is in these, unless it is not there at all."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Whole)

    def __hash__(self) -> int:
        return 0


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a document by path; parts of a list go by their name, else by number."""
    parts = _parts(value)
    if parts is None:
        yield path, value
        return
    if path:
        yield path, _Whole(value)
    for key, part in parts.items():
        yield from _flat(part, f"{path}.{key}" if path else str(key))


def _parts(value: Any) -> Mapping[Any, Any] | None:
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, list) or not all(isinstance(part, Mapping) for part in value):
        return None
    key = next((key for key in _NAMES if value and all(key in part for part in value)), None)
    names = [part[key] for part in value] if key else []
    if len(set(names)) < len(value):
        return dict(enumerate(value))
    return dict(zip(names, value, strict=True))


def _outermost(found: list[Difference]) -> Iterator[Difference]:
    """Leave out what lies in a part that one of the two has not at all."""
    alone = [d.path for d in found if isinstance(d.was, _Whole) or isinstance(d.now, _Whole)]
    for each in found:
        if not any(each.path.startswith(f"{path}.") for path in alone):
            yield each


def _shown(value: Any) -> str:
    if value is ABSENT:
        return "not there"
    if isinstance(value, _Whole):
        return _shown(json.dumps(value.value, ensure_ascii=False))
    text = "nothing" if value is None else re.sub(r"\s+", " ", str(value)).strip()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"

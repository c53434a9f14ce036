"""The newest power of a study's design, kept for the linter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine import canonical
from engine.errors import PlausiblyError
from study_app.power.answer import Answer
from study_app.study import Study

FOLDER = "power"
_DECIDES = (
    "conditions", "arms", "selection", "image_sets", "repeats", "seed", "catch", "impossible",
    "questions", "exclusions", "analysis",
)  # fmt: skip


class Kept(NamedTuple):
    """What was found of one comparison with so many people and images.

    Attributes:
        label: the comparison.
        effect: the difference that is to be shown.
        people, images: numbers.
        power: how often it is shown, 0 to 1.
        source: where the components are from.
    """

    label: str
    effect: float
    people: int
    images: int
    power: float
    source: str


def key(study: Study) -> str:
    """Return the hash of what a study's power rests on; its texts and its quota do not matter."""
    document = study.to_json()
    return canonical.sha256({name: document.get(name) for name in _DECIDES})


def keep(answer: Answer, home: Path) -> Path:
    """Write an answer under the home of all state, in the place of an older one of its design.

    Raises:
        PlausiblyError: it cannot be written.
    """
    path = _path(answer.setting.study, home)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(answer.to_json(), ensure_ascii=False, indent=1), "utf-8")
        new.replace(path)
    except OSError as error:
        raise PlausiblyError(f"cannot keep {path}: {error.strerror}") from None
    return path


def find(study: Study, home: Path) -> list[Kept]:
    """Return what was found of this design; nothing where nothing was kept that can be read."""
    try:
        said: Mapping[str, Any] = json.loads(_path(study, home).read_text("utf-8"))
        return [
            Kept(
                said["comparisons"][cell["comparison"]]["label"],
                said["comparisons"][cell["comparison"]]["effect"],
                cell["people"], cell["images"], cell["power"]["share"],
                said["components"]["source"],
            )
            for cell in said["cells"]
        ]  # fmt: skip
    except (OSError, ValueError, LookupError, TypeError):
        return []


def _path(study: Study, home: Path) -> Path:
    return home / FOLDER / f"{study.name}-{key(study)[:16]}.json"

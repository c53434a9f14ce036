"""The newest power of a study's design, kept for the linter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from engine import canonical
from engine.errors import PlausiblyError
from study_app.power.answer import Answer
from study_app.power.claims import Base
from study_app.power.components import NAMES, Components, Range
from study_app.power.grid import Shown
from study_app.power.incidence import Losses
from study_app.study import Study

FOLDER = "power"
_DECIDES = (
    "conditions", "arms", "selection", "image_sets", "repeats", "seed", "catch", "impossible",
    "questions", "exclusions", "analysis",
)  # fmt: skip


class Kept(NamedTuple):
    """What the newest answer about a design rests on, and what it found.

    Attributes:
        components, base, losses, runs, seed: as in `grid.Setting`.
        found: how often each comparison is shown, by its number, people and images.
    """

    components: Components
    base: Base
    losses: Losses
    runs: int
    seed: int
    found: Mapping[tuple[int, int, int], Shown]


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


def find(study: Study, home: Path) -> Kept | None:
    """Return what was kept of this design; None where there is nothing that can be read."""
    try:
        said = json.loads(_path(study, home).read_text("utf-8"))
        ranges = {name: Range(**said["components"][name]) for name in NAMES}
        base = {"" if label == "others" else label: share for label, share in said["base"].items()}
        return Kept(
            Components(**ranges, source=said["components"]["source"]),
            base,
            Losses(said["excluded"], said["left"]),
            said["runs"],
            said["seed"],
            {
                (cell["comparison"], cell["people"], cell["images"]): Shown(**cell["power"])
                for cell in said["cells"]
            },
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _path(study: Study, home: Path) -> Path:
    return home / FOLDER / f"{study.name}-{key(study)[:16]}.json"

"""What a study shows of its experiment that failed when the experiment was run."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import AbsentError
from engine.results import CLEAN, Results, Role
from study_app.study import Picture, Study


def absences(study: Study, results: Results) -> dict[str, str]:
    """Return, by condition that cannot be shown, what failed and why; the first thing of each."""
    found = {}
    for label, condition in study.conditions.items():
        try:
            for picture in condition.shown_pictures:
                for role in _needed(picture):
                    results.refuse_failed(role)
        except AbsentError as error:
            found[label] = str(error)
    return found


def _needed(picture: Picture) -> Iterator[Role]:
    """Yield the artifacts that a picture is taken from, the model first."""
    if picture.defense is None:
        return
    yield Role("model", picture.defense)
    yield Role("answers", picture.defense)
    attack = picture.attack or (picture.of if picture.is_map and picture.of != CLEAN else None)
    if attack is not None:
        yield Role("examples", picture.defense, attack)
    if picture.method is not None:
        yield Role("maps", picture.defense, picture.method)

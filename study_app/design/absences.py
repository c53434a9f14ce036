"""What a study shows that its experiment does not have: it failed, or a method was refused."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import AbsentError
from engine.results import CLEAN, Results, Role
from study_app.study import Picture, Study


def absences(study: Study, results: Results) -> dict[str, str]:
    """Return, by condition that cannot be shown, what is not there and why; the first of each.

    It failed when the experiment was run, or it is maps of a network that the method does not
    apply to.
    """
    found = {}
    for label, condition in study.conditions.items():
        try:
            for picture in condition.shown_pictures:
                for role in _needed(picture):
                    results.refuse_failed(role)
                    if role.kind == "maps" and results.has(role):
                        results.refuse_unfit(role.label, role.further)
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

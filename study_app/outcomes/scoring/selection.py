"""Which pictures were chosen because of how their model answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from db.export import Answered


def selected_by_answer(answers: Sequence[Answered]) -> list[bool | None]:
    """Return for each answer whether a picture of its presentation was so chosen.

    None where the study file does not hold the condition.
    """
    known: dict[int, dict[str, bool]] = {}
    found: list[bool | None] = []
    for answered in answers:
        study = answered.study
        if id(study) not in known:
            known[id(study)] = _by_condition(study)
        # Practice and catch trials show what every model has right.
        clear = answered.role != "main" and answered.condition == answered.role
        found.append(True if clear else known[id(study)].get(answered.condition))
    return found


def _by_condition(study: Mapping[str, Any]) -> dict[str, bool]:
    """Return for each condition of a stored study file whether it shows what was so chosen."""
    shown = _pictures(study)
    required = {
        picture.get("defense")
        for pictures in shown.values()
        for picture in pictures
        if _is_selected(picture)
    }
    together = study.get("selection", "shared") == "shared"
    return {
        label: any(
            _is_selected(picture)
            # Conditions that share images show those alone that each of them can show: of a model
            # that an attack fooled, clean images that it has right.
            or (
                together
                and picture.get("show") == "clean"
                and picture.get("defense") is not None
                and picture.get("defense") in required
            )
            for picture in pictures
        )
        for label, pictures in shown.items()
    }


def _is_selected(picture: Mapping[str, Any]) -> bool:
    explains_mistake = picture.get("show") in ("map", "placebo") and (
        picture.get("of", "clean") != "clean"
    )
    return (
        picture.get("show") == "mistake"
        or picture.get("answer", "any") != "any"
        or explains_mistake
    )


def _pictures(study: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the declared pictures of each condition; of one picture in short, that."""
    return {
        condition["label"]: condition.get("pictures") or [condition]
        for condition in study.get("conditions", ())
        if isinstance(condition, Mapping) and "label" in condition
    }

"""What each condition of a study showed: how large the disturbances were, how sure the model."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import select, union
from sqlalchemy.orm import Session

from db.export.columns import CONDITIONS
from db.models import FurtherPicture, Participant, Presentation, Stimulus, Study, StudyVersion

_QUANTITIES = {
    "l2": ("norms", "l2"),
    "linf": ("norms", "linf"),
    "model_conf": ("prediction", "confidence"),
}
"""Where a passport holds what is summarised."""
_QUARTILES = {"p25": 0.25, "median": 0.5, "p75": 0.75}


def conditions(session: Session, study_name: str, *, stage: str = "main") -> pd.DataFrame:
    """Return one row per version, condition, kind of stimulus, model and attack, in this order.

    Over the stimuli of the presentations with answers to rate (no practice, no catch) in the plans
    of all who were admitted, each stimulus once; columns as declared in `columns.CONDITIONS`.
    """
    main = (Study.name == study_name, StudyVersion.stage == stage, Presentation.role == "main")
    first = _of_plans(Presentation.stimulus_id).where(*main)
    further = (
        _of_plans(FurtherPicture.stimulus_id)
        .join(FurtherPicture, FurtherPicture.presentation_id == Presentation.id)
        .where(*main)
    )
    shown = union(first, further).subquery()
    query = select(shown, Stimulus.passport_json).join(
        Stimulus, Stimulus.stimulus_id == shown.c.stimulus_id
    )
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for row in session.execute(query):
        passport = json.loads(row.passport_json)
        attack = (passport["attack"] or {}).get("name")
        key = (row.version, row.condition, passport["kind"], passport["defense"], attack)
        groups[key].append(passport)
    ordered = sorted(groups, key=lambda key: tuple(part or "" for part in map(_sortable, key)))
    rows = [dict(_row(study_name, stage, key, groups[key])) for key in ordered]
    return pd.DataFrame(
        {
            column.name: pd.array([row[column.name] for row in rows], dtype=column.dtype)
            for column in CONDITIONS
        }
    )


def _of_plans(stimulus_id: Any) -> Any:
    """Return a query of version, condition and stimulus over planned presentations."""
    return (
        select(
            StudyVersion.version.label("version"),
            Presentation.condition.label("condition"),
            stimulus_id.label("stimulus_id"),
        )
        .select_from(Presentation)
        .join(Participant, Participant.id == Presentation.participant_id)
        .join(StudyVersion, StudyVersion.id == Participant.study_version_id)
        .join(Study, Study.id == StudyVersion.study_id)
    )


def _sortable(part: Any) -> str | None:
    return f"{part:09d}" if isinstance(part, int) else part


def _row(
    study_name: str, stage: str, key: tuple[Any, ...], passports: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, Any]]:
    """Yield the values of a row by column."""
    yield from zip(
        ("study_id", "stage", "study_version", "condition", "stimulus_kind", "defense", "attack"),
        (study_name, stage, *key),
        strict=True,
    )
    yield "stimuli", len(passports)
    yield "source_images", len({each["source"]["image_id"] for each in passports})
    for name, (part, quantity) in _QUANTITIES.items():
        values = pd.Series([p[part][quantity] for p in passports if p[part]], dtype="float64")
        for quartile, share in _QUARTILES.items():
            yield f"{name}_{quartile}", float(values.quantile(share)) if len(values) else None

"""The command line's part for what people answered: `plausibly export`, and its options."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import UsageError
from study_app.cli.database import opened, require_study
from study_app.cli.options import AsJson, print_json, say

Stage = Annotated[
    str | None,
    typer.Option(
        help="pilot, main or simulated; default: main, or where nobody has answered in it that of "
        "the study's newest version."
    ),
]
Versions = Annotated[
    list[int] | None,
    typer.Option(
        "--version",
        min=1,
        metavar="NUMBER",
        help="Only this version; may be given several times, for versions that mean the same. "
        "Default: the newest that anybody has answered, and all that mean the same.",
    ),
]


def export(
    study: Annotated[str, typer.Argument(help="Name of the study.")],
    out: Annotated[Path, typer.Option(help="Folder to make; it must not hold anything yet.")],
    file_format: Annotated[str, typer.Option("--format", help="csv.")] = "csv",
    stage: Stage = None,
    as_json: AsJson = False,
) -> None:
    """Write ratings with outcomes, participants, stimuli, events, a codebook, what was registered.

    With checksums.
    """
    from db import export as exporting
    from study_app import exclusions
    from study_app.analysis import registration
    from study_app.outcomes.scoring import score

    if file_format != "csv":
        raise UsageError(f"unknown format {file_format!r}; known: csv")
    require_stage(stage)
    with opened() as database:
        with database.read() as s:
            require_study(s, study)
        made = exporting.write_csv(
            database,
            study,
            out,
            datetime.now(UTC),
            judge=exclusions.judge,
            score=score,
            stage=stage,
            beside=registration.exported(study),
        )
    if as_json:
        facts = {"stage": made.stage, "ratings_by_stage": dict(made.stages), "ratings": made.rows}
        print_json({"study": study, **facts, "folder": str(made.folder), "sha256": made.sha256})
        return
    ratings = f"{made.rows} rating{'s' * (made.rows != 1)}"
    say(f"{ratings} of study {study}, stage {made.stage}, in {made.folder}")
    for sentence in elsewhere(made.stage, made.stages):
        say(sentence)


def require_stage(stage: str | None) -> None:
    """Refuse a stage that there is not."""
    from db.models.studies import STAGES

    if stage is not None and stage not in STAGES:
        raise UsageError(f"unknown stage {stage!r}; known: {', '.join(STAGES)}")


def elsewhere(stage: str, ratings_by_stage: Mapping[str, int]) -> list[str]:
    """Return a sentence for each other stage that holds ratings: how many, and how to get them."""
    from engine.analysis.basis import other_stages

    found = other_stages(stage, ratings_by_stage)
    return [f"{said}: --stage {other}" for other, said in found.items()]

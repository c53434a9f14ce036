"""The command line's part for what people answered: `plausibly export` and `plausibly analyze`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.errors import UsageError
from study_app.cli.database import opened, require_study
from study_app.cli.options import AsJson, print_json, say

if TYPE_CHECKING:
    from engine.analysis.human_table import ConditionResult
    from study_app.analysis.stages import StageView

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
    _require_stage(stage)
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
    for sentence in _elsewhere(made.stage, made.stages):
        say(sentence)


def analyze(
    study: Annotated[str, typer.Argument(help="Name of the study.")],
    with_excluded: Annotated[
        bool, typer.Option("--all", help="Count also what the study's exclusion rules exclude.")
    ] = False,
    stage: Stage = None,
    version: Versions = None,
    as_json: AsJson = False,
) -> None:
    """Print the human table with intervals, without what the study's exclusion rules exclude.

    Versions whose conditions, questions or exclusion rules differ are never counted together.
    """
    from engine.analysis.basis import sentences
    from engine.analysis.human_table import human_table
    from study_app.analysis.stages import stage_view

    _require_stage(stage)
    with opened() as database, database.read() as s:
        view = stage_view(s, require_study(s, study), stage, version or ())
    rows = human_table(view.ratings, with_excluded=with_excluded)
    said = sentences(view.basis(with_excluded=with_excluded))
    said += view.sentences()
    if view.left_out:
        said.append("A version by itself: --version NUMBER.")
    said += _elsewhere(view.stage, view.ratings_by_stage)
    if as_json:
        print_json(_json(view, rows, said, with_excluded=with_excluded))
    else:
        _print(view, rows, said, with_excluded=with_excluded)


def _print(
    view: StageView, rows: Sequence[ConditionResult], said: Sequence[str], *, with_excluded: bool
) -> None:
    from engine.analysis.human_table import attention
    from study_app.analysis import tables
    from study_app.cli.terminal import print_table
    from study_app.design import sizes
    from study_app.study import study_of

    name, study = view.version.name, study_of(view.version)
    found = tables.excluded_by(study, view.ratings)
    excluded = tables.exclusions_line(found, with_excluded=with_excluded)
    catch = attention(view.ratings)
    if rows:
        title, conditions = f"{name}, {view.named()}", tables.condition_titles(study)
        print_table(tables.human_table_rich(title, rows, catch, conditions, excluded))
        say(f"Shown by version {view.version.version}, medians with quartiles:")
        for line in sizes.lines(view.shown, conditions):
            say(f"  {line}")
    else:
        say(f"Study {name}, {view.named()}")
    for sentence in said:
        say(sentence)
    if not rows and len(view.ratings):
        for line in filter(None, (tables.catch_line(catch), excluded)):
            say(line)


def _json(
    view: StageView, rows: Sequence[ConditionResult], said: Sequence[str], *, with_excluded: bool
) -> dict[str, Any]:
    from engine.analysis.human_table import attention
    from study_app.analysis.tables import excluded_by
    from study_app.study import study_of

    return {
        "study": view.version.name,
        "stage": view.stage,
        "ratings_by_stage": dict(view.ratings_by_stage),
        "versions": list(view.versions),
        "left_out": [
            {
                "version": other.version,
                "ratings": other.ratings,
                "differences": [str(each) for each in other.differences],
            }
            for other in view.left_out
        ],
        "conditions": [asdict(row) for row in rows],
        "attention": asdict(attention(view.ratings)),
        "exclusions": [asdict(one) for one in excluded_by(study_of(view.version), view.ratings)],
        "with_excluded": with_excluded,
        "basis": asdict(view.basis(with_excluded=with_excluded)),
        "shown": [asdict(each) for each in view.shown],
        "said": list(said),
    }


def _require_stage(stage: str | None) -> None:
    from db.models.studies import STAGES

    if stage is not None and stage not in STAGES:
        raise UsageError(f"unknown stage {stage!r}; known: {', '.join(STAGES)}")


def _elsewhere(stage: str, ratings_by_stage: Mapping[str, int]) -> list[str]:
    """Return a sentence for each other stage that holds ratings: how many, and how to get them."""
    from engine.analysis.basis import other_stages

    found = other_stages(stage, ratings_by_stage)
    return [f"{said}: --stage {other}" for other, said in found.items()]

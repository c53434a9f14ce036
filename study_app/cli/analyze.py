"""The command line's part for what ratings say: `plausibly analyze`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from engine.errors import PlausiblyError, UsageError
from study_app.cli.database import opened, require_study
from study_app.cli.options import AsJson, print_json, say
from study_app.cli.results import Stage, Versions, elsewhere, require_stage

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.analysis.contrasts import Contrast
    from study_app.analysis.findings import Findings
    from study_app.analysis.stages import StageView


def analyze(
    study: Annotated[str, typer.Argument(help="Name of the study.")],
    with_excluded: Annotated[
        bool, typer.Option("--all", help="Count also what the study's exclusion rules exclude.")
    ] = False,
    stage: Stage = None,
    version: Versions = None,
    by: Annotated[
        Literal["cell", "condition", "arm"],
        typer.Option(
            help="cell: each condition in each arm; condition: over all arms; arm: over all its "
            "conditions."
        ),
    ] = "cell",
    outcome: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this outcome; default: all answered.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PAGE.html", help="Write all of it as one page that opens anywhere."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print estimates and contrasts with intervals, without what the study's rules exclude.

    Registered contrasts come first; everything else is exploratory. Versions whose conditions,
    questions or exclusion rules differ are never counted together.
    """
    from study_app.analysis.findings import findings
    from study_app.analysis.stages import stage_view

    require_stage(stage)
    if out is not None:
        _require_place(out)
    with opened() as database, database.read() as s:
        view = stage_view(s, require_study(s, study), stage, version or ())
        found = findings(view, s, with_excluded=with_excluded, by=by, outcome=outcome)
        page = None if out is None else _page(found, view, s)
    if out is not None and page is not None:
        _write(out, page)
    said = [*found.said, *(["A version by itself: --version NUMBER."] * bool(view.left_out))]
    said += elsewhere(view.stage, view.ratings_by_stage)
    if as_json:
        print_json(_json(found, view, said, out))
        return
    _print(found, view, said)
    if out is not None:
        say(f"Page: {out}")


def _print(found: Findings, view: StageView, said: Sequence[str]) -> None:
    from study_app.analysis.tables import catch_line, exclusions_line
    from study_app.design import sizes

    simulated = ", SIMULATED" if found.stage == "simulated" else ""
    say(f"Study {found.study}, {view.named()}{simulated}")
    if found.outcomes:
        _print_outcomes(found)
        _print_contrasts(found)
        say("")
        say(f"Shown by version {view.version.version}, medians with quartiles:")
        for line in sizes.lines(view.shown, found.conditions):
            say(f"  {line}")
        say(found.registration.said)
    for sentence in said:
        say(sentence)
    if found.basis.ratings:
        excluded = exclusions_line(found.exclusions, with_excluded=found.with_excluded)
        for line in filter(None, (catch_line(found.attention), excluded)):
            say(line)


def _print_outcomes(found: Findings) -> None:
    from study_app.analysis import tables
    from study_app.analysis.figures import Names, limits
    from study_app.cli.terminal import print_table

    for each in found.outcomes:
        say("")
        print_table(tables.outcome_table(found, each))
        for sentence in limits(Names(found), each.estimates):
            say(f"  {sentence}")
        for one in each.strengths:
            if one.items:
                say("")
                print_table(tables.strengths_table(found, each, one))
            if one.note:
                say(f"  {one.note}")
    say("")
    say(
        "Each person counts equally (by people), with 95 % intervals for other people and other "
        "images; by rating: each rating counts equally, where that reads otherwise."
    )


def _print_contrasts(found: Findings) -> None:
    """Registered comparisons; exploratory ones where there are none, or one outcome is told."""
    from study_app.analysis import tables
    from study_app.analysis.figures import Names, concluded
    from study_app.analysis.formats import counted
    from study_app.cli.terminal import print_table

    def shown(made: Sequence[Contrast], title: str) -> None:
        if made:
            say("")
            print_table(tables.contrasts_table(found, made, title))

    told = [each.outcome.name for each in found.outcomes]
    registered = sorted(
        (each for each in found.contrasts if each.spec.registered),
        key=lambda each: told.index(each.spec.outcome.name),
    )
    others = [each for each in found.contrasts if not each.spec.registered]
    shown(registered, "Registered comparisons")
    for each in registered:
        say(f"  {each.spec.outcome.title}, {concluded(Names(found), each)}")
    if registered and len(found.outcomes) > 1:
        if others:
            say(
                f"{counted(len(others), 'exploratory comparison')} more: --outcome NAME, --json, "
                "or the page (--out)."
            )
    else:
        shown(others, "Exploratory comparisons: they suggest, and decide nothing")


def _json(found: Findings, view: StageView, said: Sequence[str], out: Path | None) -> Any:
    from study_app.analysis.plain_data import plain

    made = plain(found)
    return {
        **made,
        "registration": {**made["registration"], "said": found.registration.said},
        "ratings_by_stage": dict(view.ratings_by_stage),
        "left_out": [
            {
                "version": other.version,
                "ratings": other.ratings,
                "differences": [str(each) for each in other.differences],
            }
            for other in view.left_out
        ],
        "shown": plain(view.shown),
        "said": list(said),
        "page": None if out is None else str(out),
    }


def _page(found: Findings, view: StageView, s: Session) -> str:
    from study_app.analysis.results_page import page
    from study_app.installation import Settings

    return page(found, view, s, store=Settings().store)


def _require_place(out: Path) -> None:
    if out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out {out}: name a page that ends in .html")
    if out.is_dir():
        raise UsageError(f"--out {out}: a folder is in the way")
    if not out.resolve().parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.resolve().parent}; make it first")


def _write(out: Path, page: str) -> None:
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        draft.write_text(page, encoding="utf-8")
        draft.replace(out)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise PlausiblyError(
            f"cannot write {out}: {error.strerror or error}; free some space or name another --out"
        ) from None

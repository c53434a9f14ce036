"""The command line's part for simulated people: `plausibly study simulate`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import PlausiblyError, UsageError
from study_app.cli.options import AsJson, print_json, say

if TYPE_CHECKING:
    from rich.table import Table

    from study_app.simulation.simulating import Simulated

TRUTH = "truth.json"
FATES: Mapping[str, str] = {
    "complete": "answered everything",
    "dropped_out": "dropped out",
    "withdrew": "withdrew",
    "screened_out": "were screened out",
    "failed_check": "failed the comprehension check",
}


def simulate(
    study: Annotated[str, typer.Argument(help="A study's YAML file or a built-in name.")],
    people: Annotated[int, typer.Option(min=1, max=10_000, help="How many people come.")],
    raters: Annotated[
        str,
        typer.Option(
            help="How they answer: a YAML file, or alike (no condition differs) or demo "
            "(differences in the study demo); see docs/simulate.md."
        ),
    ] = "alike",
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal answers.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the truth; default: STUDY-simulated-VERSION in this one."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete the study's simulated people first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let simulated people take part in a study, over HTTP, and write what an analysis should find.

    Their answers are data of the stage simulated: plausibly analyze STUDY --stage simulated. The
    study need not be launched; where it is live, its people, places and data are left alone, and
    nobody is led to the simulation.
    """
    from study_app import study as studies
    from study_app.cli.database import upgraded
    from study_app.cli.progress import console
    from study_app.installation import AppState, Settings
    from study_app.installation.key import require_key
    from study_app.simulation.rater_file import load
    from study_app.simulation.simulating import simulate as take_part

    loaded = studies.load(study)
    known = load(raters, loaded)
    if out is not None:
        _require_free(out, replace=replace)
    settings = Settings()
    upgraded(settings)
    database = settings.database()
    try:
        state = AppState(database, settings.store, require_key(settings, database))
        made = take_part(
            loaded,
            known,
            state,
            people=people,
            seed=seed,
            replace=replace,
            tell=lambda said: console.print(f"{said} …", style="dim", highlight=False),
        )
    finally:
        database.close()
    path = _write(out, made)
    if as_json:
        print_json({**made.to_json(), "file": str(path)})
        return
    _tell(made, path)


def _tell(made: Simulated, path: Path) -> None:
    """Say what should be found, what became of people, and where the truth is."""
    from study_app.cli.terminal import print_table

    print_table(_table(made))
    people, fates = len(made.people), made.fates()
    ended = ", ".join(f"{fates[fate]} {said}" for fate, said in FATES.items() if fates[fate])
    who = "1 simulated person" if people == 1 else f"{people} simulated people"
    say(f"{who} took part in study {made.version.name}, version "
        f"{made.version.version}: {ended}.")  # fmt: skip
    say(f"The truth is in {path}.")
    say(f"What is found: plausibly analyze {made.version.name} --stage simulated")


def _table(made: Simulated) -> Table:
    from rich.table import Table

    table = Table(title=f"True shares of yes, in % ({made.raters.title})", title_justify="left")
    for column in ("Outcome", "Condition", "Arm"):
        table.add_column(column)
    for column in ("All images", "Images used", "With careless", "Answers", "Yes"):
        table.add_column(column, justify="right")
    for share in made.shares:
        found = f"{100 * share.yes / share.answered:.1f}" if share.answered else "–"
        table.add_row(
            share.outcome,
            share.condition,
            share.arm,
            *(
                f"{100 * each:.1f}"
                for each in (share.share, share.share_of_images, share.share_of_everybody)
            ),
            str(share.answered),
            found,
        )
    return table


def _require_free(folder: Path, *, replace: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder}: that is a file; name a folder")
    if (folder / TRUTH).exists() and not replace:
        raise UsageError(f"--out {folder}: it holds a {TRUTH}; name another, or add --replace")


def _write(out: Path | None, made: Simulated) -> Path:
    """Write the truth; return its file."""
    folder = out or Path(f"{made.version.name}-simulated-{made.version.version}")
    path = folder / TRUTH
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(made.to_json(), ensure_ascii=False, indent=1)
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise PlausiblyError(f"cannot write {path}: {error.strerror}") from None
    return path

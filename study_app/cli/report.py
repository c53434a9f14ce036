"""The command line's part for reports: `plausibly report`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import PlausiblyError, UsageError
from study_app.cli.options import AsJson, print_json, say
from study_app.installation import Settings

if TYPE_CHECKING:
    from engine.artifacts import ArtifactStore
    from engine.experiments.experiment_file import Experiment
    from engine.results import Results


def report(
    experiment: Annotated[str, typer.Argument(help="A YAML file or a built-in name.")],
    seeds: Annotated[
        int, typer.Option(min=1, help="How many seeds, from the file's on; those that were run.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write or to replace; default: report-EXPERIMENT, here."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write what was run as one HTML page, with its tables as CSV and its figures as SVG."""
    from engine import report as reporting
    from engine.components import yaml_files
    from engine.theory import linear

    if out is not None:
        reporting.require_place(out)
    document, _ = yaml_files.read(experiment, "experiment", linear.BUILT_IN)
    if document.get("kind") == linear.KIND:
        raise UsageError(
            f"{experiment} trains no network and has no report; plausibly run draws its plot"
        )
    from engine.experiments import experiment_file

    loaded = experiment_file.load(experiment)
    folder = out or Path(f"report-{loaded.name}")
    reporting.require_place(folder)
    options = f" --seeds {seeds}" if seeds > 1 else ""
    runs = _runs(loaded, Settings().store, seeds, f"{shlex.quote(experiment)}{options}")
    placed = f" --out {shlex.quote(str(out))}" if out else ""
    built = reporting.build(
        runs,
        title=loaded.title,
        command=f"plausibly report {shlex.quote(experiment)}{options}{placed}",
    )
    page = reporting.save(built, folder)
    if as_json:
        print_json(
            {"report": str(page), "figures": list(built.figures), "verdicts": built.verdicts}
        )
    else:
        say(f"Report: {page}")


def _runs(experiment: Experiment, store: ArtifactStore, seeds: int, what: str) -> list[Results]:
    """Return the finished runs of exactly this experiment.

    Raises:
        PlausiblyError: one has not been run here; the message names the command that does it.
    """
    from engine.experiments import plan
    from engine.results import Results

    try:
        return [Results(store, index) for index in plan.find(experiment, store, seeds=seeds)]
    except PlausiblyError as error:
        raise PlausiblyError(f"{error}: plausibly run {what}") from None

"""The command line's part for reports: `plausibly report`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import PlausiblyError, UsageError
from study_app.cli.options import AsJson, OnlyDatasets, print_json, say
from study_app.installation import Settings

if TYPE_CHECKING:
    from engine.artifacts import ArtifactStore
    from engine.experiments.experiment_file import Experiment
    from engine.results import Results


def report(
    experiment: Annotated[
        str,
        typer.Argument(help="A YAML file, a built-in name, or the name of one that was run here."),
    ],
    seeds: Annotated[
        int, typer.Option(min=1, help="How many seeds, from the file's on; those that were run.")
    ] = 1,
    dataset: OnlyDatasets = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write or to replace; default: report-EXPERIMENT, here."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write what was run as one HTML page, with its tables as CSV and its figures as SVG."""
    from engine import report as reporting

    if out is not None:
        reporting.require_place(out)
    name, title, find = asked_for(experiment, seeds, dataset)
    folder = out or Path(f"report-{name}")
    reporting.require_place(folder)
    runs = find(Settings().store)
    placed = f" --out {shlex.quote(str(out))}" if out else ""
    built = reporting.build(
        runs,
        title=title or _title(runs),
        command=f"plausibly report {_written(experiment, seeds, dataset)}{placed}",
    )
    page = reporting.save(built, folder)
    if as_json:
        print_json(
            {"report": str(page), "figures": list(built.figures), "verdicts": built.verdicts}
        )
    else:
        say(f"Report: {page}")


def asked_for(
    experiment: str, seeds: int, datasets: Sequence[str] | None
) -> tuple[str, str | None, Callable[[ArtifactStore], list[Results]]]:
    """Return name and title of what is asked for, and what finds its runs.

    A file, also a built-in one, must have been run exactly as it is. A name alone is that of the
    newest runs here; their title is theirs.
    """
    from engine.components import yaml_files
    from engine.theory import linear

    if not Path(experiment).suffix and not (linear.BUILT_IN / f"{experiment}.yaml").is_file():
        from engine import results

        if datasets:
            raise UsageError(
                f"--dataset is for a YAML file or a built-in name; of {experiment}, which was run "
                f"here, name the run itself: {experiment}_{datasets[0]}"
            )
        return experiment, None, lambda store: results.of_experiment(store, experiment, seeds)
    document, _ = yaml_files.read(experiment, "experiment", linear.BUILT_IN)
    if document.get("kind") == linear.KIND:
        raise UsageError(
            f"{experiment} trains no network and has no report; plausibly run draws its plot"
        )
    from engine.experiments import experiment_file

    loaded = experiment_file.load(experiment)
    loaded = loaded.on(datasets) if datasets else loaded
    what = _written(experiment, seeds, datasets)
    return loaded.name, loaded.title, lambda store: _runs(loaded, store, seeds, what)


def _written(experiment: str, seeds: int, datasets: Sequence[str] | None) -> str:
    """Return what is asked for as it stands on a command line."""
    several = f" --seeds {seeds}" if seeds > 1 else ""
    some = "".join(f" --dataset {shlex.quote(label)}" for label in datasets or ())
    return f"{shlex.quote(experiment)}{several}{some}"


def _title(runs: Sequence[Results]) -> str:
    """Return the title of the experiment that the runs are of, as far as they know it."""
    config = runs[0].config
    title = str(config["title"])
    if config["dataset_label"]:
        title = title.partition(": ")[2]
    return str(config.get("experiment_title", title))


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

"""The command line's part for taking maps away: `plausibly export-maps`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.errors import UsageError
from study_app.cli.options import AsJson, OnlyDatasets, print_json, say
from study_app.cli.report import asked_for
from study_app.installation import Settings


def export_maps(
    experiment: Annotated[
        str,
        typer.Argument(help="A YAML file, a built-in name, or the name of one that was run here."),
    ],
    out: Annotated[Path, typer.Option(help="Folder to make; its parent must be there.")],
    seeds: Annotated[
        int, typer.Option(min=1, help="How many seeds, from the file's on; those that were run.")
    ] = 1,
    dataset: OnlyDatasets = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace an export of maps that is there already.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write pictures, maps and what is known of them, as NPZ and JSON for other programs."""
    from engine.results import exported_maps

    exported_maps.require_place(out, replace=replace)
    name, _, find = asked_for(experiment, seeds, dataset)
    runs = find(Settings().store)
    if not any(run.config["saliency"] for run in runs):
        raise UsageError(f"experiment {name!r} has no maps; give its file a section saliency")
    made = exported_maps.export(runs, out, replace=replace)
    if as_json:
        listing = str(out / exported_maps.LISTING)
        print_json({"listing": listing, "files": made.files, "absent": list(made.absent)})
        return
    say(f"{made.files} file{'s' * (made.files != 1)} of maps in {made.folder}")
    for sentence in made.absent:
        say(sentence)

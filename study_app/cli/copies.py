"""The command line's part for copies of an installation: `plausibly backup` and `restore`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from study_app.cli.database import opened
from study_app.cli.options import AsJson, print_json, say
from study_app.installation import Settings


def backup(
    folder: Annotated[Path, typer.Argument(help="Folder to make; it must not hold anything yet.")],
    everything: Annotated[
        bool, typer.Option("--all", help="Every artifact, not only those of published studies.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy database, key and the artifacts of studies into a folder, also while they are in use.

    The folder holds answers and the key: keep it as safe as the server.
    """
    from study_app.installation.backup import backup as made_of

    with opened() as database:
        made = made_of(Settings(), database, folder, everything=everything)
    if as_json:
        facts = {"artifacts": made.artifacts, "bytes": made.bytes, "left_out": made.left_out}
        print_json({"folder": str(made.folder), **facts})
        return
    for sentence in made.left_out:
        say(f"Left out: {sentence}")
    say(
        f"Backup: {made.folder} ({made.bytes / 2**20:.1f} MiB, {made.artifacts} artifacts). "
        "It holds answers and the key: keep it as safe as the server."
    )


def restore(
    folder: Annotated[Path, typer.Argument(help="What 'plausibly backup' made.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Move what is in PLAUSIBLY_HOME aside, first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make PLAUSIBLY_HOME from a copy: verified, whole or absent. Stop the server first."""
    from study_app.installation.restore import restore as made_of

    made = made_of(Settings(), folder, replace=replace)
    if as_json:
        before = None if made.before is None else str(made.before)
        print_json({"home": str(made.home), "made": made.copy.made, "before": before})
        return
    say(f"Restored: {made.home}, as of {made.copy.made}.")
    if made.before is not None:
        say(f"What was there before is in {made.before}; delete it when you need it no more.")
    if made.archive is not None:
        say(
            "The database is of a PostgreSQL server: give it the archive with pg_restore "
            f"--no-owner --dbname=DATABASE {json.dumps(str(made.archive))}, and set DATABASE_URL."
        )
    say("Who withdrew after that time is in it again; see docs/database.md.")

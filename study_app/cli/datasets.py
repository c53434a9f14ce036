"""The command line's part for datasets: `plausibly datasets list|fetch|verify`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.errors import PlausiblyError, UsageError
from study_app.cli.options import AsJson, print_json

if TYPE_CHECKING:
    from engine.datasets import Dataset, Progress, Published

app = typer.Typer(help="List, download and check datasets.", no_args_is_help=True)

Root = Annotated[
    str | None,
    typer.Option(
        help="Folder of the files; default: PLAUSIBLY_DATASETS, else the user's cache folder."
    ),
]


@app.command("list")
def list_datasets(as_json: AsJson = False) -> None:
    """List the datasets, and which of them are here; with --json also the files that they read.

    "Here, unpacked" is what was unpacked from the published files, where the loader reads it.
    """
    from engine import datasets

    rows: list[dict[str, Any]] = []
    for name in datasets.registry.names():
        dataset = datasets.create(name)
        about = (type(dataset).__doc__ or "").splitlines()[0]
        rows.append(
            {"name": name, "state": _state(dataset), "about": about, "reads": _reads(dataset)}
        )
    if as_json:
        print_json(rows)
        return
    from rich.table import Table

    from study_app.cli.terminal import Terminal

    table = Table(box=None, pad_edge=False)
    for heading in ("Dataset", "State", "What it is"):
        table.add_column(heading, no_wrap=heading != "What it is")
    for row in rows:
        table.add_row(row["name"], row["state"], row["about"])
    Terminal().print(table, highlight=False)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Name of the dataset.")],
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Download a published dataset, resuming what was cut, and check its hashes."""
    from engine import datasets

    dataset = _published(name, root)
    if dataset is None:
        known = [n for n in datasets.registry.names() if _published(n, None) is not None]
        raise UsageError(f"{name} is not downloaded; those that are: {', '.join(known)}")
    with _progress() as progress:
        checks = dataset.fetch(progress)
    if as_json:
        print_json({"folder": str(dataset.folder), "files": [vars(check) for check in checks]})
        return
    for check in checks:
        typer.echo(f"{check.name}  {check.status}  sha256 {check.sha256}")
    typer.echo(f"{name} is in {dataset.folder}")


@app.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Datasets; default: the built-in ones and the downloaded ones."),
    ] = None,
    root: Root = None,
    read: Annotated[
        bool, typer.Option("--read", help="Read the images too, and report what was skipped.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare files and built-in data with their hashes; exit with 1 if anything differs.

    Of published files it says: as published, not as published, unknown (there is no published
    hash to compare with, of unpacked CIFAR-10 for example) or missing.
    """
    from engine import datasets
    from engine.datasets import MISSING, NOT_AS_PUBLISHED

    if root is not None and len(names or []) != 1:
        raise UsageError("--root needs the name of the one dataset that is in it")
    rows: list[dict[str, Any]] = []
    for name in names or datasets.registry.names():
        published = _published(name, root)
        dataset = published or datasets.create(name, **({"root": root} if root else {}))
        if dataset.expected_sha256 is not None:
            rows.append({"dataset": name, **_built_in(dataset)})
            continue
        if published is not None and (names or published.present()):
            rows += [{"dataset": name, **vars(check)} for check in published.verify()]
        elif names and published is None and not read:
            raise UsageError(f"{name} has no hash to compare with; --read reads its images")
        if read and (names or (published is not None and published.present())):
            rows.append({"dataset": name, **_read(dataset)})
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            typer.echo(_line(row))
    if any(row["status"] in ("wrong", NOT_AS_PUBLISHED, MISSING) for row in rows):
        raise typer.Exit(1)


def _line(row: dict[str, Any]) -> str:
    """Return what was found in a line; the hash stands in it once."""
    sha256 = row["sha256"]
    said = f"sha256 {sha256}" if sha256 and sha256 not in row["detail"] else ""
    return "  ".join(
        filter(None, (f"{row['dataset']}: {row['name']}", row["status"], said, row["detail"]))
    )


def _read(dataset: Dataset) -> dict[str, Any]:
    from engine.datasets import class_counts, describe_counts, doubt_counts

    try:
        data = dataset.load()
    except PlausiblyError as error:
        return {"name": "images", "status": "wrong", "sha256": None, "detail": str(error)}
    counts = class_counts(data)
    classes = describe_counts(counts, data.class_names)
    doubts = doubt_counts(counts, data.class_names)
    sizes = " / ".join(str(len(split)) for split in (data.train, data.valid, data.test))
    detail = "; ".join(
        [f"{sizes} images", f"checksum {data.sha256}", classes, *doubts, *data.notes]
    )
    return {"name": "images", "status": "read", "sha256": data.sha256, "detail": detail}


def _built_in(dataset: Dataset) -> dict[str, Any]:
    found = dataset.load().sha256
    same = found == dataset.expected_sha256
    detail = "" if same else f"has checksum {found}, expected {dataset.expected_sha256}"
    return {
        "name": "built in",
        "status": "ok" if same else "wrong",
        "sha256": found,
        "detail": detail,
    }


def _state(dataset: Dataset) -> str:
    published = _published(dataset.name, None)
    if published is not None:
        return published.state()
    return "built in" if dataset.expected_sha256 is not None else "yours"


def _reads(dataset: Dataset) -> list[dict[str, Any]]:
    """Return the published files, and for each the forms in which it is read, the first first."""
    published = _published(dataset.name, None)
    if published is None:
        return []
    return [
        {
            "file": file.name,
            "sha256": file.sha256,
            "forms": [[each.name for each in form] for form in (*file.unpacked, (file,))],
            "without": file.without,
        }
        for file in published.wanted()
    ]


def _published(name: str, root: str | None) -> Published | None:
    """Return the dataset if it is one that others publish."""
    from engine import datasets

    if not issubclass(datasets.registry.get(name), datasets.Published):
        return None
    made = datasets.create(name, root=root)
    return made if isinstance(made, datasets.Published) else None


@contextmanager
def _progress() -> Iterator[Progress]:
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bars

    from study_app.cli.progress import console

    tasks: dict[str, TaskID] = {}
    with Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as bars:

        def show(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done, total=total)

        yield show

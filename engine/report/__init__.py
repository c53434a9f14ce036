"""The report of an experiment: one page, its tables and its figures, from finished runs. No torch.

`build` makes it in memory and `save` writes it: `report.html`, which needs nothing beside it and no
network, `tables/*.csv` with every number that is drawn, `figures/*.svg`. Equal runs give equal
bytes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.artifacts import replacing
from engine.errors import PlausiblyError, UsageError
from engine.report import page, verdicts
from engine.report.about import About
from engine.report.figures import SECTIONS
from engine.report.runs import Study
from engine.results import Results

PAGE, TABLES, FIGURES = "report.html", "tables", "figures"


@dataclass(frozen=True)
class Report:
    """A report in memory.

    Attributes:
        files: contents by path relative to the report's folder.
        figures: addresses of its figures in the page, in its order.
        verdicts: how many of the papers' statements hold, fail and are undecided; empty where the
            runs are of no paper's experiment.
    """

    files: dict[str, bytes]
    figures: tuple[str, ...]
    verdicts: dict[str, int]


def build(runs: Sequence[Results], *, title: str, command: str) -> Report:
    """Return the report of these runs.

    Args:
        runs: finished runs of one experiment: every dataset with the same seeds.
        title: the experiment's.
        command: what was typed to make it.

    Raises:
        PlausiblyError: there is no run, or an artifact is damaged.
    """
    study = Study(runs, title)
    abouts = [About(data) for data in study]
    sections = [
        page.Part(
            section,
            tuple(
                page.Shown(figure, about.line)
                for about in abouts
                if about.data.defenses
                for figure in section.draw(about.data)
            ),
        )
        for section in SECTIONS
    ]
    parts = [part for part in sections if part.figures]
    judged = verdicts.judge(study)
    files = {PAGE: page.render(study, abouts, parts, judged, command=command).encode()}
    for about in abouts:
        files[f"{TABLES}/{about.table.name}.csv"] = about.table.csv().encode()
    for part in parts:
        for figure in part.figures:
            files[f"{TABLES}/{figure.table.name}.csv"] = figure.table.csv().encode()
            for picture in figure.pictures:
                files[f"{FIGURES}/{picture.name}.svg"] = picture.svg.encode()
    for each in judged:
        files[f"{TABLES}/{each.table.name}.csv"] = each.table.csv().encode()
    return Report(
        files,
        tuple(figure.slug for part in parts for figure in part.figures),
        verdicts.counts(judged) if judged else {},
    )


def write(runs: Sequence[Results], out: Path, *, title: str, command: str) -> Path:
    """Write the report of these runs into the folder `out`; return the page's path.

    A report that is there is replaced as a whole, or left as it is when something fails.

    Raises:
        UsageError: `out` cannot be such a folder; see `require_place`.
        PlausiblyError: it cannot be written, there is no run, or an artifact is damaged.
    """
    require_place(out)
    return save(build(runs, title=title, command=command), out)


def require_place(out: Path) -> None:
    """Refuse a place where a report cannot go or would take something else's.

    Raises:
        UsageError: it is a file, its parent is missing, or it holds something that is no report.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: a file is in the way; name a folder")
    parent = out.resolve().parent
    if not parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {parent}; make it first")
    if out.exists():
        try:
            held = {path.name for path in out.iterdir()}
        except OSError as error:
            raise PlausiblyError(f"cannot read {out}: {error.strerror}") from None
        other = sorted(held - {PAGE, TABLES, FIGURES})
        if other or (held and PAGE not in held):
            named = ", ".join((other or sorted(held))[:3])
            raise UsageError(
                f"--out {out}: the folder holds something that is no report ({named}); name "
                "another, it would be replaced"
            )
    if not os.access(parent, os.W_OK):
        raise PlausiblyError(f"cannot write to {parent}: Permission denied; name another --out")


def save(report: Report, out: Path) -> Path:
    """Write a report into the folder `out`; see `write`."""
    require_place(out)
    try:
        with replacing(out.resolve()) as draft:
            for name, content in report.files.items():
                path = draft / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    except OSError as error:
        raise PlausiblyError(
            f"cannot write the report to {out}: {error.strerror or error}; free some space or name "
            "another --out"
        ) from None
    return out / PAGE

"""An export as a folder of CSV files: whole or absent."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import pandas as pd
from sqlalchemy.orm import Session

from db import repository
from db.canonical import sha256_hex
from db.errors import ExportError, StudyNotFoundError
from db.export import tables
from db.export.columns import TABLES, codebook
from db.export.conditions import conditions
from db.export.judging import Judge
from db.export.scoring import Scorer
from db.export.stages import default_stage, stage_counts
from db.session import Database

CHECKSUMS = "checksums.sha256"

Beside: TypeAlias = Callable[[Session, str], Mapping[str, bytes]]
"""Makes further files of an export, by name, from the database and the stage that is exported."""


@dataclass(frozen=True)
class Export:
    """A finished export: its folder, the rows of ratings.csv, the SHA-256 of its checksum file.

    stage: whose data it holds. stages: ratings by stage of the study, as of the same moment.
    """

    folder: Path
    stage: str
    stages: Mapping[str, int]
    rows: int
    sha256: str


def write_csv(
    database: Database,
    study: str,
    out_dir: Path,
    now: datetime,
    *,
    judge: Judge,
    score: Scorer,
    stage: str | None = None,
    beside: Beside | None = None,
    actor: str = "command line",
) -> Export:
    """Write a study's tables (see `columns.TABLES`), a codebook and checksums to `out_dir`.

    All is of one moment, and of `stage` (None: `default_stage`). The folder appears complete or not
    at all. The export is recorded as made by `actor`, so that a later withdrawal marks it stale.
    `judge` marks what rules exclude, `score` says what answers mean, `beside` makes further files.

    Raises:
        ExportError: `out_dir` is a file or not empty, it cannot be written, `judge` cannot judge,
            or somebody withdrew meanwhile.
        StudyNotFoundError: there is no such study.
        DatabaseError: the database cannot be used.
    """
    target = Path(out_dir).absolute()
    _require_free(target)
    with database.read() as session:
        newest = repository.study(session, study)
        if newest is None:
            raise StudyNotFoundError(f"There is no study {study!r}.")
        stages = stage_counts(session, study)
        stage = stage or default_stage(stages, newest.stage)
        withdrawn = repository.withdrawals(session, study)
        frames = _frames(session, study, judge, score, stage)
        further = {} if beside is None else beside(session, stage)
    rows = len(frames["ratings"])
    partial: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        sha256 = _write_files(partial, frames, further)

        def record(s: Session) -> None:
            # The record comes before the folder: an export that exists is one that can go stale.
            if repository.withdrawals(s, study) != withdrawn:
                raise ExportError("Somebody withdrew during the export; run it again.")
            repository.record_export(
                s, study_name=study, format="csv", rows=rows, sha256=sha256, now=now, actor=actor
            )

        database.write(record)
        if target.exists():
            target.rmdir()
        partial.rename(target)
    except OSError as error:
        raise ExportError(f"The export {target} could not be written: {error.strerror}.") from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
    return Export(target, stage, stages, rows, sha256)


def _frames(
    session: Session, study: str, judge: Judge, score: Scorer, stage: str
) -> dict[str, pd.DataFrame]:
    """Return the tables of a study's stage, by file name."""
    further = {"ratings": score.columns}
    book = [entry for name in TABLES for entry in codebook(name, further.get(name, ()))]
    return {
        "ratings": tables.ratings(session, study, judge=judge, score=score, stage=stage),
        "participants": tables.participants(session, study, judge=judge, stage=stage),
        "stimuli": tables.stimuli(session, study, stage=stage),
        "conditions": conditions(session, study, stage=stage),
        "events": tables.events(session, study, stage=stage),
        "forms": tables.forms(session, study, stage=stage),
        "codebook": pd.DataFrame(book),
    }


_FORMULA = re.compile(
    r"""
    (^|[;\t\r\n])                                # where some program begins a cell
    (?=([\s\u200b-\u200f\u2060\ufeff]*         # what it does not see, or leaves out
       [=+\-@\uff1d\uff0b\uff0d\uff20][^;\t\r\n]*))  # full width ones are read in East Asia
    """,
    re.VERBOSE,
)


def without_formulas(text: str) -> str:
    """Return `text` such that a spreadsheet takes it for text: an apostrophe before = + - @.

    Also behind a semicolon, a tab and a line end, where cells begin in many countries, and before
    full-width signs. Numbers stay numbers ("-1" is left alone).
    """

    def marked(found: re.Match[str]) -> str:
        return found[1] if _is_number(found[2]) else f"{found[1]}'"

    made = _FORMULA.sub(marked, text)
    return f"'{text}" if made == text and text.startswith(("\t", "\r")) else made


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii()


def _require_free(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ExportError(f"{target} exists and is not an empty folder; name another one.")


def _write_files(
    folder: Path, frames: Mapping[str, pd.DataFrame], further: Mapping[str, bytes]
) -> str:
    """Write tables, further files and checksums; return the SHA-256 of the checksum file."""
    files = {f"{name}.csv": _csv(frame) for name, frame in frames.items()} | dict(further)
    lines = []
    for name, content in files.items():
        _write(folder / name, content)
        lines.append(f"{sha256_hex(content)}  {name}\n")
    checksums = "".join(lines).encode()
    _write(folder / CHECKSUMS, checksums)
    return sha256_hex(checksums)


def _csv(frame: pd.DataFrame) -> bytes:
    safe = frame.copy()
    for name, dtype in frame.dtypes.items():
        if pd.api.types.is_string_dtype(dtype):
            safe[name] = frame[name].map(without_formulas, na_action="ignore")
        elif pd.api.types.is_bool_dtype(dtype):
            safe[name] = frame[name].map({True: "true", False: "false"})
    return safe.to_csv(index=False, lineterminator="\n").encode()


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

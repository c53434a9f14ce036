"""Kind `linear_theory`: paper 2's theory, computed without a network (`engine.theory.linear`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.artifacts import Artifact
from engine.jobs._kinds import Reader
from engine.theory import linear

if TYPE_CHECKING:
    from engine.jobs.context import Job

VERSION = linear.VERSION


def make(job: Job) -> None:
    """Compute every rank with every offset."""
    linear.make(linear.LinearTheory(**job.config), job.draft)


def read(artifact: Artifact, reader: Reader) -> dict[str, Any]:
    """Return the rows."""
    rows: dict[str, Any] = artifact.json(linear.ROWS)
    return rows

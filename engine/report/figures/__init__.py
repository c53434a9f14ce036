"""The figures of a report, in its order; a file each.

Each has a `draw(data)` that returns its figures of one dataset, none where the runs lack what it
shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.report.figure import Figure
from engine.report.figures import (
    classes,
    curves,
    doubt,
    features,
    gradient_norms,
    gradients,
    ladder,
    log_probabilities,
    models,
    overlap,
    sweeps,
    targets,
    training_time,
    transfer,
    vulnerable,
)
from engine.report.runs import Dataset


@dataclass(frozen=True)
class Section:
    """A kind of figure.

    Attributes:
        slug: its address in the page.
        title: for readers.
        reading: how to read it.
        draw: returns the figures of a dataset.
    """

    slug: str
    title: str
    reading: str
    draw: Callable[[Dataset], list[Figure]]


SECTIONS = tuple(
    Section(module.__name__.rsplit(".", 1)[1].replace("_", "-"), title, reading, module.draw)
    for module, title, reading in (
        (models, models.TITLE, models.READING),
        (classes, classes.TITLE, classes.READING),
        (doubt, doubt.TITLE, doubt.READING),
        (gradients, gradients.TITLE, gradients.READING),
        (curves, curves.TITLE, curves.READING),
        (transfer, transfer.TITLE, transfer.READING),
        (ladder, ladder.TITLE, ladder.READING),
        (vulnerable, vulnerable.TITLE, vulnerable.READING),
        (overlap, overlap.TITLE, overlap.READING),
        (targets, targets.TITLE, targets.READING),
        (sweeps, sweeps.TITLE, sweeps.READING),
        (training_time, training_time.TITLE, training_time.READING),
        (log_probabilities, log_probabilities.TITLE, log_probabilities.READING),
        (gradient_norms, gradient_norms.TITLE, gradient_norms.READING),
        (features, features.TITLE, features.READING),
    )
)

"""Kind `dataset`: what a run's data were when it was run: their sizes, and whether as published.

Written down then, since the files may be others when somebody reads the results. One artifact per
dataset, whatever the models, attacks and seeds. It is no parent of a run's index but found by the
data (`recipe`): so a run from before it was recorded keeps its index, and gets it by running again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from engine import datasets
from engine.artifacts import Artifact, Recipe, Role, write_json
from engine.datasets import SPLITS, Publication
from engine.jobs._kinds import Reader
from engine.jobs._requests import Asking, Request

if TYPE_CHECKING:
    from engine.jobs.context import Job

VERSION = 1
STAGE = "attack"
FILE = "dataset.json"


@dataclass(frozen=True)
class DataFacts:
    """What was known of a dataset when it was read.

    Attributes:
        publication: whether it was as published.
        images: how many there are, by split.
        notes: what was left out, in words.
    """

    publication: Publication
    images: dict[str, int]
    notes: tuple[str, ...]


def wanted(run: Asking, label: str) -> Iterator[Request]:
    """Ask for it once, whatever the models and seeds."""
    yield Request(Role("dataset"), "data facts", {}, seeded=False)


def recipe(dataset: dict[str, Any], data_sha256: str) -> Recipe:
    """Return what it is stored under.

    Args:
        dataset: configuration of the dataset.
        data_sha256: its checksum.
    """
    return Recipe("dataset", {"dataset": dataset}, {}, data_sha256, {"dataset": VERSION})


def make(job: Job) -> None:
    """Hash the files of the dataset and count its images."""
    data = job.data()
    dataset = datasets.registry.from_config(job.config["dataset"])
    found = datasets.publication(dataset, job.recipe.data_sha256)
    write_json(
        job.draft / FILE,
        {
            "publication": asdict(found),
            "images": {split: len(data.split(split)) for split in SPLITS},
            "notes": list(data.notes),
        },
    )


def read(artifact: Artifact, reader: Reader) -> DataFacts:
    """Return what was known."""
    found = artifact.json(FILE)
    return DataFacts(Publication(**found["publication"]), found["images"], tuple(found["notes"]))

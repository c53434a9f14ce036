"""Kind `source`: the test images that everything starts from, with the identity of each.

One artifact per dataset, whatever the models, attacks and seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.artifacts import Artifact, Role, write_arrays
from engine.jobs._kinds import Reader
from engine.jobs._requests import Asking, Request
from engine.rendering import pixels_sha256

if TYPE_CHECKING:
    from engine.jobs.context import Job

VERSION = 1
STAGE = "attack"
FILE = "source.npz"


@dataclass(frozen=True)
class Source:
    """The test images of a dataset, N of them.

    Attributes:
        pixels: uint8 (N, C, H, W).
        labels: true labels (N,).
        image_ids: the identity of each image: `rendering.pixels_sha256` of its pixels.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    image_ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def wanted(run: Asking, label: str) -> Iterator[Request]:
    """Ask for the test images, which are the same for every model and seed."""
    yield Request(Role("source"), "source images", {"split": "test"}, seeded=False)


def make(job: Job) -> None:
    """Store the images of the split."""
    split = job.split()
    write(job.draft, split.pixels, split.labels)


def write(folder: Path, pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """Write the files of the artifact."""
    digests = b"".join(bytes.fromhex(pixels_sha256(image)) for image in pixels)
    ids = np.frombuffer(digests, np.uint8).reshape(len(pixels), 32)
    write_arrays(folder / FILE, {"pixels": pixels, "labels": labels, "image_ids": ids})


def read(artifact: Artifact, reader: Reader) -> Source:
    """Return the images."""
    arrays = artifact.arrays(FILE)
    ids = tuple(each.tobytes().hex() for each in arrays["image_ids"])
    return Source(arrays["pixels"], arrays["labels"], ids)

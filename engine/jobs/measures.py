"""Kind `measures`: what is measured of one model on clean images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine import metrics, saliency
from engine.artifacts import Artifact, Role, write_arrays, write_json
from engine.components import Document, versions_of
from engine.datasets import Data, Split
from engine.errors import AbsentError, PlausiblyError
from engine.jobs import _subset
from engine.jobs._kinds import Reader
from engine.jobs._measuring import measured
from engine.jobs._requests import Asking, Request, Section

if TYPE_CHECKING:
    from torch import nn

    from engine.jobs.context import Job

VERSION = 1
STAGE = "measure"
FILE = "measures.npz"
ABSENT = "absent.json"
"""What the network does not have, with the reasons; there is none where all is measured."""
_METRICS = ("smoothness", "edge_alignment")
_OF_FEATURES = ("singular_values", "margins")


class Measures(dict[str, NDArray[Any]]):
    """What was measured of a model: arrays by name; see `make`.

    Args:
        arrays: by name.
        absent: why a measure that others have is not there, by name.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], absent: Mapping[str, str]) -> None:
        super().__init__(arrays)
        self.absent = dict(absent)

    def __missing__(self, name: str) -> NDArray[Any]:
        """Raise AbsentError, with the reason; earlier runs have none, and less measures."""
        if name in self.absent:
            raise AbsentError(name, self.absent[name], remedy="")
        raise AbsentError(name, "the run is from before it was", "run the experiment again")


class MeasureSpec(Document):
    """What is measured of every model on clean images.

    Attributes:
        images: how many training and how many test images, spread over the classes; None means
            1000 evenly spaced ones, or all where there are fewer.
    """

    images: _subset.SomeImages = None


SECTION = Section("measure", MeasureSpec, MeasureSpec(), labelled=False)


def wanted(run: Asking, label: str) -> Iterator[Request]:
    """Ask for the measures of the model `label`."""
    parents = {Role("model"): Role("model", label)}
    config = _subset.said(run.section(SECTION.name).images)
    members = [saliency.registry.get("input_gradient"), *map(metrics.registry.get, _METRICS)]
    versions = versions_of(*members)
    yield Request(Role("measures", label), f"measure {label}", config, parents, versions)


def image_notes(section: MeasureSpec, data: Data) -> Iterator[str]:
    """Yield what is to be said of the images that are asked for."""
    yield from _subset.notes(SECTION.name, section.images, data, ("train", "test"))


def make(job: Job) -> None:
    """Measure one model on clean images.

    Of the test images: `labels` (N,), `log_probabilities` and `gradient_norms` (N, K), the
    latter of the cross-entropy with every label, NaN for those of many classes that are not
    measured (`engine.networks.inference.gradient_norms`); `zero_gradient` (N,): the true label's is
    exactly zero in every pixel, so that FGSM returns the image as it was, which is gradient masking
    and not robustness (Carlini et al. 2019); `smoothness` and `edge_alignment` (N,) of the paper's
    map, the gradient of the summed log-probabilities. Of train and test images: the penultimate
    features' `singular_values` (D,) and the head's `margins` (N,). Where no linear layer gives the
    logits these two are absent, and `ABSENT` has the reason.
    """
    from engine.networks import inference

    data = job.data()
    network = job.model(Role("model"))
    images = job.config.get("images")
    test = measured(data.test, images)
    norms = inference.gradient_norms(network, test.images, test.labels)
    job.progress({"step": 1, "steps": 3})
    target = saliency.Target(test.labels)
    maps = saliency.create("input_gradient").attribute(network, test.images, target).maps
    given = metrics.Given(maps, test.images)
    job.progress({"step": 2, "steps": 3})
    layers, absent = _of_features(network, measured(data.train, images), test)
    arrays = {
        "labels": test.labels,
        "log_probabilities": inference.logits(network, test.images).log_softmax(1).numpy(),
        "gradient_norms": norms,
        "zero_gradient": norms[np.arange(len(test)), test.labels] == 0,
        **{name: metrics.create(name).measure(given).values for name in _METRICS},
    }
    write_arrays(job.draft / FILE, arrays | layers)
    if absent:
        write_json(job.draft / ABSENT, absent)


def read(artifact: Artifact, reader: Reader) -> Measures:
    """Return the measures as arrays by name, and why others are absent."""
    absent = artifact.json(ABSENT) if ABSENT in artifact.manifest["files"] else {}
    return Measures(artifact.arrays(FILE), absent)


def _of_features(
    network: nn.Module, train: Split, test: Split
) -> tuple[dict[str, NDArray[np.float64]], dict[str, str]]:
    """Return what is measured of the last layer and the features it takes, and what is not."""
    from engine.networks import features, inference

    layer = inference.head(network, test.images)
    if layer is None:
        reason = features.no_head(network)
        return {}, {f"{each}_{s}": reason for each in _OF_FEATURES for s in ("train", "test")}
    weight, bias = (
        np.zeros(layer.out_features) if part is None else part.detach().cpu().numpy()
        for part in (layer.weight, layer.bias)
    )
    found: dict[str, NDArray[np.float64]] = {}
    absent: dict[str, str] = {}
    for name, split in (("train", train), ("test", test)):
        phi = features.penultimate(network, split.images)
        found[f"singular_values_{name}"] = features.singular_values(phi)
        try:
            found[f"margins_{name}"] = features.margins(phi, split.labels, weight, bias)
        except PlausiblyError as error:
            absent[f"margins_{name}"] = str(error)
    return found, absent

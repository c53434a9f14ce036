"""Kind `map_metrics`: what the metrics say of the maps of one model by one method.

An artifact of its own, so that metrics can change without the maps being made again. Beside each
number stands that of two null maps of the same image, which know nothing of the network
(`engine.metrics.NULLS`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import WithJsonSchema, field_validator

from engine import metrics, rendering, saliency
from engine.artifacts import Artifact, Role, write_arrays, write_json
from engine.components import Document, member, versions_of
from engine.datasets import Data, spread
from engine.jobs import _subset, examples
from engine.jobs import maps as maps_kind
from engine.jobs._kinds import Reader, kinds
from engine.jobs._maps import Maps
from engine.jobs._requests import Asking, Request, Section
from engine.jobs.examples import CLEAN
from engine.metrics import Given, MapMetric, Measured, Null
from engine.saliency import SaliencyMethod, Target

if TYPE_CHECKING:
    from torch import nn

    from engine.jobs.context import Job

VERSION = 1
STAGE = "explain"
NAME = "map_metrics"
FILE = "metrics.npz"
ABOUT = "result.json"
OWN = "maps"
"""Under which name the maps' own numbers stand, beside those of null maps."""
_WHY = "why."

SomeMetric = Annotated[MapMetric, member(metrics.registry), WithJsonSchema({"member": "metric"})]


class MapMetricsSpec(Document):
    """What is measured of all maps, of clean images and of each attack's.

    Attributes:
        images: of how many test images, spread over the classes; None means all that have maps.
        metrics: which; None means all of them.
    """

    images: _subset.SomeImages = 100
    metrics: list[SomeMetric] | None = None

    @field_validator("metrics")
    @classmethod
    def _each_once(cls, given: list[MapMetric] | None) -> list[MapMetric] | None:
        names = [each.name for each in given or ()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"there twice: {', '.join(twice)}; give each metric once")
        return given

    def members(self) -> list[MapMetric]:
        """Return the metrics, in the order of their names where the file names none."""
        if self.metrics is not None:
            return self.metrics
        return [metrics.create(name) for name in metrics.registry.names()]


SECTION = Section(NAME, MapMetricsSpec | None, MapMetricsSpec(), labelled=False)


class MapMetrics:
    """What the metrics say of maps of M images of each kind, "clean" or the label of an attack.

    Args:
        artifact: where it is stored.
        specs: the metrics.
        absent: why nothing was measured, or None.
        arrays: as `make` stores them.
    """

    def __init__(
        self,
        artifact: Artifact,
        specs: list[MapMetric],
        absent: str | None,
        arrays: dict[str, NDArray[Any]],
    ) -> None:
        self.artifact = artifact
        self.absent = absent
        self._specs = {each.name: each for each in specs}
        self._arrays = arrays

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics."""
        return tuple(self._specs)

    @property
    def images(self) -> tuple[str, ...]:
        """The image kinds, sorted; none where nothing was measured (`absent` says why)."""
        return tuple(
            sorted(key.split("/")[1] for key in self._arrays if key.split("/")[0] == "indices")
        )

    def spec(self, metric: str) -> MapMetric:
        """Return the metric with its parameters: it says sign, direction and what it measures."""
        return self._specs[metric]

    def indices(self, image: str) -> NDArray[np.int64]:
        """Return which of the test images were measured (M,), ascending."""
        return self._arrays[f"indices/{image}"]

    def values(self, metric: str, image: str) -> NDArray[np.float64]:
        """Return the numbers (M,) of the maps; NaN where there is none."""
        return self._arrays[f"{OWN}/{metric}/{image}"]

    def null(self, metric: str, image: str, which: Null) -> NDArray[np.float64]:
        """Return the numbers (M,) of null maps of the same images; NaN where there is none."""
        return self._arrays[f"{which}/{metric}/{image}"]

    def reason(self, metric: str, image: str, which: Null | None = None) -> NDArray[np.str_]:
        """Return why there is no number (M,), a code of `engine.metrics.WHY`, of maps or nulls.

        The empty code where there is one.
        """
        key = f"{which or OWN}/{metric}/{image}"
        none = np.full(len(self._arrays[key]), "", "<U16")
        return self._arrays.get(f"{_WHY}{key}", none)


def wanted(run: Asking, label: str) -> Iterator[Request]:
    """Ask for the metrics of all maps of the model `label`, unless the file wants none."""
    spec: MapMetricsSpec | None = run.section(SECTION.name)
    if spec is None:
        return
    members = spec.members()
    config = {"metrics": [each.config() for each in members], **_subset.said(spec.images)}
    for request in _maps_of(run, label):
        yield Request(
            Role(NAME, label, request.role.further),
            f"measure the maps {request.role.further} of {label}",
            config,
            {**_pictures(request), Role("maps"): request.role},
            versions_of(*map(type, members)),
            gathers=request.gathers,
        )


def _maps_of(run: Asking, label: str) -> Iterator[Request]:
    """Yield all that is wanted of a model and is maps, of whatever kind."""
    for name, kind in kinds.having("wanted").items():
        if name != NAME:
            yield from (each for each in kind.wanted(run, label) if each.role.kind == "maps")


def _pictures(request: Request) -> dict[Role, Role]:
    """Return of what maps are made from the model and the pictures."""
    kept = ("model", "source", "examples")
    return {role: whose for role, whose in request.parents.items() if role.kind in kept}


def image_notes(section: MapMetricsSpec | None, data: Data) -> Iterator[str]:
    """Yield what is to be said of the images that the file asks for."""
    if section is not None and "images" in section.model_fields_set:
        yield from _subset.notes(SECTION.name, section.images, data)


def make(job: Job) -> None:
    """Measure the maps of each image kind and the null maps of the same images.

    `METRIC/KIND` (M,) after `maps/`, `edges/` and `random/` are the numbers, `why.` before it the
    reasons where some are missing; `indices/KIND` (M,) which test images they are of.
    """
    stored: Maps = Reader(job.store).read(job.parent(Role("maps")))
    absent = None
    if stored.fit.verdict == "refused":
        reasons = "; ".join(each.says for each in stored.fit.reasons if each.refuses)
        absent = f"the method does not apply to the network, so there are no maps: {reasons}"
    members = [metrics.registry.from_config(each) for each in job.config["metrics"]]
    arrays: dict[str, NDArray[Any]] = {}
    kinds_of_images = () if absent else stored.images
    measuring = None if absent else _Measuring(job, stored)
    for done, image in enumerate(kinds_of_images):
        assert measuring is not None
        arrays |= measuring.arrays(image, members)
        job.progress({"step": done + 1, "steps": len(kinds_of_images)})
    write_arrays(job.draft / FILE, arrays)
    write_json(job.draft / ABOUT, {"absent": absent})


def read(artifact: Artifact, reader: Reader) -> MapMetrics:
    """Return the numbers, with the metrics that gave them."""
    specs = [metrics.registry.from_config(each) for each in artifact.recipe.config["metrics"]]
    return MapMetrics(artifact, specs, artifact.json(ABOUT)["absent"], artifact.arrays(FILE))


@dataclass(frozen=True)
class _Picked:
    """The pictures of one image kind that are measured, with what their maps were made with."""

    indices: NDArray[np.int64]
    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    seeds: NDArray[np.int64]


class _Measuring:
    """Measures the maps of one artifact.

    Args:
        job: whose recipe says what.
        stored: the maps; the method applies to the network.
    """

    def __init__(self, job: Job, stored: Maps) -> None:
        self._job = job
        self._stored = stored
        self._source = job.source()
        self._network: nn.Module = job.model(Role("model"))
        config = stored.artifact.recipe.config["saliency"]
        made_here = config["name"] in saliency.registry.names()
        self._method = saliency.registry.from_config(config) if made_here else None

    def arrays(self, image: str, members: list[MapMetric]) -> dict[str, NDArray[Any]]:
        """Return what is stored of an image kind; see `make`."""
        picked = self._picked(image)
        found: dict[str, NDArray[Any]] = {f"indices/{image}": picked.indices}
        own = self._given(image, picked)
        for of, given in ((OWN, own), *self._nulls(image, picked, own)):
            for metric in members:
                measured = self._measured(metric, given, picked.indices)
                found[f"{of}/{metric.name}/{image}"] = measured.values
                if (measured.why != "").any():
                    found[f"{_WHY}{of}/{metric.name}/{image}"] = measured.why
        return found

    def _measured(self, metric: MapMetric, given: Given, indices: NDArray[np.int64]) -> Measured:
        if metric.most is None:
            return metric.measure(given)
        lacking = given.lacking(metric.needs)
        few = spread(self._source.labels[indices], metric.most)
        found = Measured.none(len(given), lacking or "not_asked")
        return found.at(few, metric.measure(given.rows(few)))

    def _picked(self, image: str) -> _Picked:
        there = self._stored.indices(image)
        indices = there[spread(self._source.labels[there], self._job.config.get("images"))]
        clean = self._source.pixels[indices]
        if image == CLEAN:
            pixels = clean
        else:
            made = self._job.parent(Role("examples", image)).arrays(examples.FILE)
            pixels = made["pixels"][np.searchsorted(examples.indices(made), indices)]
        seeds = maps_kind.image_seeds(self._job.config["seed"], clean)
        return _Picked(indices, rendering.to_images(pixels), self._source.labels[indices], seeds)

    def _given(self, image: str, picked: _Picked) -> Given:
        """Return the maps of a kind, with all that they were made with."""
        target, of_a_class = self._target(image, picked)
        baseline = self._baseline(picked)
        explain = None
        if self._method is not None:
            explain = _again(self._method, target, picked.seeds, baseline)
        return Given(
            maps=self._maps(image, picked.indices),
            images=picked.images,
            seeds=picked.seeds,
            network=self._network,
            target=target,
            of_a_class=of_a_class,
            baseline=baseline,
            explain=explain,
            clean=self._maps(CLEAN, picked.indices) if self._has_clean(image, picked) else None,
        )

    def _nulls(self, image: str, picked: _Picked, own: Given) -> Iterator[tuple[Null, Given]]:
        clean = None
        if own.clean is not None:
            clean = saliency.laplacian_of_gaussian(
                rendering.to_images(self._source.pixels[picked.indices])
            )

        def edges(
            _network: nn.Module, images: NDArray[np.float32], _places: NDArray[np.int64]
        ) -> NDArray[np.float32]:
            return saliency.laplacian_of_gaussian(images)

        yield "edges", own.with_maps(saliency.laplacian_of_gaussian(picked.images), edges, clean)
        noise = metrics.random_like(own.maps, picked.seeds, image)
        if own.clean is not None:
            clean = metrics.random_like(own.clean, picked.seeds, CLEAN)
        yield "random", own.with_maps(noise, None, clean)

    def _has_clean(self, image: str, picked: _Picked) -> bool:
        """Say whether the clean images have maps; of maps brought along they need not have."""
        beside = np.isin(picked.indices, self._stored.indices(CLEAN))
        return image != CLEAN and bool(beside.all())

    def _maps(self, image: str, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.stack([self._stored.map(image, int(index)) for index in indices])

    def _target(self, image: str, picked: _Picked) -> tuple[Target, bool]:
        """Return what the maps explain, else the true label, and whether they explain it."""
        facts = self._stored.facts(image)
        rows = np.searchsorted(self._stored.indices(image), picked.indices)
        classes, against = facts["class"][rows], facts["against"][rows]
        if (classes < 0).any():
            return Target(picked.labels), False
        return Target(classes, None if (against < 0).any() else against), True

    def _baseline(self, picked: _Picked) -> NDArray[np.float32]:
        """Return the maps' own baselines, or where they have none the test images' mean colour."""
        name = self._stored.about.baseline or "mean"
        return saliency.baseline_images(name, picked.images, self._mean, picked.seeds)

    @cached_property
    def _mean(self) -> NDArray[np.float32]:
        train = self._stored.about.baseline == "mean"
        pixels = self._job.data().train.pixels if train else self._source.pixels
        return maps_kind.mean_colour(pixels)


def _again(
    method: SaliencyMethod,
    target: Target,
    seeds: NDArray[np.int64],
    baseline: NDArray[np.float32],
) -> metrics.Explain:
    """Return what makes maps again of changed images; see `engine.metrics.Explain`."""

    def explain(
        network: nn.Module, images: NDArray[np.float32], places: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        own = Target(
            target.classes[places], None if target.against is None else target.against[places]
        )
        found = method.attribute(
            network,
            images,
            own,
            seeds=seeds[places],
            baseline=baseline[places] if method.uses_baseline else None,
        )
        return found.at((images.shape[2], images.shape[3]))

    return explain

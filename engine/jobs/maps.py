"""Kind `maps`: how one saliency method explains one model, on clean and on attacked test images.

The maps of each image kind ("clean", or an attack) are a file of blocks, so that one map is read
without the rest (`engine.artifacts.blocks`), in the resolution that the method has. Beside them
lies what galleries and studies ask of all: scales, largest values, strengths, which class each
explains, and whether the method applies to the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from engine import rendering, saliency, seeds
from engine.artifacts import (
    Artifact,
    Blocks,
    Role,
    labels_of,
    write_arrays,
    write_blocks,
    write_json,
)
from engine.components import Document, member
from engine.datasets import Data, Split, spread
from engine.jobs import _old_layouts, _subset, examples
from engine.jobs._kinds import Reader
from engine.jobs._maps import About, Maps, Named, Summary, Whole, summarise
from engine.jobs._requests import Asking, Label, Request, Section
from engine.jobs.examples import CLEAN
from engine.saliency import Attribution, BaselineName, Reason, Rule, SaliencyMethod

if TYPE_CHECKING:
    from torch import nn

    from engine.jobs.context import Job

__all__ = ["About", "Maps", "SaliencySpec", "Summary", "summarise"]

VERSION = 3
"""2: one file per image kind, read in blocks, with scales beside; roles name the parents. 3: in the
method's resolution, with the class that each explains and the verdict on method and network."""
STAGE = "explain"
ABOUT = "result.json"
SUMMARY = "summary.npz"
OLD_FILE = "maps.npz"
_FACT = "fact."
_LONGEST = 40


class SaliencySpec(Document):
    """One saliency method, computed for every model on clean images and on its own examples.

    Attributes:
        title: its name for readers.
        method: the component.
        images: how many test images, spread over the classes; None means all. Of examples those
            of the images that were also attacked.
        explains: the class whose logit is explained: the `true_label`, the `predicted` one, the
            `target` of the attack, or the `runner_up`; see `engine.saliency.chosen`.
        against: a rule for a second class: what is explained is then the difference of the two
            logits, why the one and not the other.
        baselines: for a method with a baseline: maps are made from each, under the label with the
            baseline's name behind where there are several.
    """

    title: str
    method: Annotated[
        saliency.SaliencyMethod, member(saliency.registry), WithJsonSchema({"member": "saliency"})
    ]
    images: _subset.SomeImages = None
    explains: Rule = "true_label"
    against: Rule | None = None
    baselines: tuple[BaselineName, ...] = Field(("black", "mean"), min_length=1)

    @model_validator(mode="after")
    def _holds_together(self) -> SaliencySpec:
        given = self.model_fields_set
        if "baselines" in given and not self.method.uses_baseline:
            raise ValueError(f"the method {self.method.name!r} uses no baseline; leave them out")
        if len(set(self.baselines)) < len(self.baselines):
            raise ValueError(f"a baseline is there twice: {', '.join(self.baselines)}")
        if self.against == self.explains:
            raise ValueError(f"explains and against are both {self.against!r}; choose two")
        if {"explains", "against"} & given and not self.method.explains_a_class:
            raise ValueError(
                f"the method {self.method.name!r} as it is set explains no class; leave explains "
                "and against out"
            )
        return self

    @property
    def baseline(self) -> BaselineName | None:
        """The one that is left after `_apart`; None where the method uses none."""
        return self.baselines[0] if self.method.uses_baseline else None


def _apart(section: dict[str, SaliencySpec]) -> dict[str, SaliencySpec]:
    """Return the section with one baseline each: `ig` with two becomes `ig_black`, `ig_mean`."""
    found: dict[str, SaliencySpec] = {}
    for label, spec in section.items():
        if not spec.method.uses_baseline or len(spec.baselines) == 1:
            apart = {label: spec}
        else:
            apart = {f"{label}_{name}": _from(spec, name) for name in spec.baselines}
        for each, own in apart.items():
            if each in found or (each != label and each in section):
                raise ValueError(f"{each!r} is there twice: {label!r} is made from each baseline")
            if len(each) > _LONGEST:
                raise ValueError(
                    f"{each!r} is longer than {_LONGEST} characters; shorten {label!r}"
                )
            found[each] = own
    return found


def _from(spec: SaliencySpec, name: BaselineName) -> SaliencySpec:
    said = {"title": f"{spec.title}, from {name}", "baselines": (name,)}
    return spec.model_copy(update=said)


SECTION = Section("saliency", Annotated[dict[Label, SaliencySpec], AfterValidator(_apart)])


def wanted(run: Asking, label: str) -> Iterator[Request]:
    """Ask for the maps of the model `label` by every method."""
    for method, spec in run.section(SECTION.name).items():
        attacked = {
            Role("examples", attack): Role("examples", label, attack)
            for attack in run.section(examples.SECTION.name)
        }
        config = {
            "saliency": spec.method.config(),
            "split": "test",
            "explains": spec.explains,
            "against": spec.against,
            "baseline": spec.baseline,
            **_subset.said(spec.images),
        }
        yield Request(
            Role("maps", label, method),
            f"explain {label} by {method}",
            config,
            {Role("model"): Role("model", label), Role("source"): Role("source"), **attacked},
            spec.method.versions(),
            gathers=tuple(attacked),
        )


def image_notes(section: Mapping[str, SaliencySpec], data: Data) -> Iterator[str]:
    """Yield what is to be said of the images that methods ask for."""
    yield from _subset.notes_by_label(SECTION.name, section, data)


def make(job: Job) -> None:
    """Explain the model on the clean test images and on the examples made for it."""
    method = saliency.registry.from_config(job.config["saliency"])
    if _old_layouts.explains_labels(job.recipe):
        _old_layouts.make_maps(job, method)
        return
    network = job.model(Role("model"))
    asked = Asked(job, method, network)
    about = asked.about()
    if about.fit.verdict == "refused":
        write(job.draft, about, ())
        return

    def explained() -> Iterator[tuple[str, Attribution, dict[str, NDArray[Any]]]]:
        for done, image in enumerate(asked.images):
            yield image, *asked.explained(image)
            job.progress({"step": done + 1, "steps": len(asked.images)})

    write(job.draft, about, explained(), asked.indices, len(asked.source))


class Asked:
    """What a recipe of maps asks to be explained.

    Args:
        job: whose recipe it is.
        method: explains.
        network: is explained.

    Attributes:
        source: the test images.
        images: the image kinds: "clean", then the attacks, sorted.
        indices: which test images are explained (N,), by image kind; filled as they are read.
    """

    def __init__(self, job: Job, method: SaliencyMethod, network: nn.Module) -> None:
        self._job = job
        self._method = method
        self._network = network
        self.source = job.source()
        self._chosen = spread(self.source.labels, job.config.get("images"))
        attacks = sorted(labels_of("examples", job.recipe.parents))
        self.images = (CLEAN, *attacks)
        self.indices: dict[str, NDArray[np.int64]] = {}
        self._mean: NDArray[np.float32] | None = None

    def about(self) -> About:
        """Return what is said of all maps, with the verdict on method and network."""
        config = self._job.config
        split = _subset.some(self.source, self._chosen[:2])
        target, classes = self._target(split, None)
        given = self._given(split, self._chosen[:2])
        explains = saliency.in_words(config["explains"], config["against"], classes)
        return About(
            quantity=self._method.quantity(explains),
            size=(split.pixels.shape[2], split.pixels.shape[3]),
            explains=explains,
            baseline=config["baseline"],
            fit=self._method.fit(self._network, split.images, target, **given),
        )

    def explained(self, image: str) -> tuple[Attribution, dict[str, NDArray[Any]]]:
        """Return the maps of an image kind, and which classes they explain."""
        split, aims = self._pictures(image)
        target, _ = self._target(split, aims)
        given = self._given(split, self.indices[image])
        found = self._method.attribute(self._network, split.images, target, **given)
        against = target.against
        nothing = np.full(len(split), -1)
        return found, {
            "class": target.classes if self._method.explains_a_class else nothing,
            "against": nothing if against is None else against,
            **found.facts,
        }

    def _pictures(self, image: str) -> tuple[Split, NDArray[np.int64] | None]:
        """Return the pictures of a kind with their true labels, and the attack's targets."""
        if image == CLEAN:
            self.indices[image] = self._chosen
            return _subset.some(self.source, self._chosen), None
        made = self._job.parent(Role("examples", image)).arrays(examples.FILE)
        both, rows, _ = np.intersect1d(examples.indices(made), self._chosen, return_indices=True)
        self.indices[image] = both
        return Split(made["pixels"][rows], self.source.labels[both]), made["target"][rows]

    def _target(self, split: Split, aims: NDArray[np.int64] | None) -> tuple[saliency.Target, int]:
        """Return what is explained, and how many classes there are."""
        from engine.networks import inference

        answers = inference.logits(self._network, split.images).numpy()
        config = self._job.config
        target = saliency.chosen(
            config["explains"], config["against"], labels=split.labels, logits=answers, aims=aims
        )
        return target, answers.shape[1]

    def _given(self, split: Split, indices: NDArray[np.int64]) -> dict[str, Any]:
        """Return seeds and baselines.

        A seed is that of the clean image, whatever was made of it: noise is the same on a clean and
        on an attacked image, and for every model.
        """
        own = image_seeds(self._job.config["seed"], self.source.pixels[indices])
        name = self._job.config["baseline"]
        if name is None:
            return {"seeds": own, "baseline": None}
        if self._mean is None:
            # Of a large dataset only one baseline needs it.
            train = self._job.data().train.pixels if name == "mean" else self.source.pixels[:1]
            self._mean = mean_colour(train)
        return {
            "seeds": own,
            "baseline": saliency.baseline_images(name, split.images, self._mean, own),
        }


def image_seeds(seed: int, pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the seed (N,) of each clean image's maps in a run with `seed`."""
    return np.array(
        [seeds.derive(seed, "saliency", rendering.pixels_sha256(image)) for image in pixels]
    )


def mean_colour(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean (C,) of images (N, C, H, W), in [0, 1]."""
    found: NDArray[np.float32] = (pixels.mean((0, 2, 3)) / 255).astype(np.float32)
    return found


def write(
    folder: Path,
    about: About,
    maps: Iterable[tuple[str, Attribution, Mapping[str, NDArray[Any]]]],
    indices: Mapping[str, NDArray[np.int64]] | None = None,
    of: int = 0,
) -> None:
    """Write the files of the artifact, one image kind after the other.

    Args:
        folder: to write into.
        about: what is said of all; what the maps themselves say comes in addition.
        maps: by image kind the maps, and what is known of each.
        indices: which of all `of` test images, by image kind; an entry has to be there when its
            maps have been taken.
        of: how many test images there are.
    """
    records: dict[str, Any] = {}
    summaries: dict[str, NDArray[Any]] = {}
    deltas: list[NDArray[np.float64]] = []
    for image, found, facts in maps:
        records[image] = write_blocks(folder / f"{image}.npy", found.maps)
        size = about.size or found.maps.shape[2:]
        whole = summarise(found.at((size[0], size[1])))
        for name, value in vars(whole).items():
            summaries[f"{name}/{image}"] = np.asarray(value)
        for name, values in facts.items():
            summaries[f"{_FACT}{name}/{image}"] = values
        if indices is not None:
            for name, array in _subset.stored(indices[image], of).items():
                summaries[f"{name}/{image}"] = array
        about = replace(about, upsampling=found.upsampling)
        about = replace(about, fit=about.fit.also(*_blank(image, whole)))
        deltas += [found.facts["delta"]] if "delta" in found.facts else []
    about = replace(about, fit=about.fit.also(*_incomplete(deltas)))
    write_arrays(folder / SUMMARY, summaries)
    write_json(folder / ABOUT, {**about.to_json(), "images": records})


def _blank(image: str, summary: Summary) -> list[Reason]:
    if not summary.blank.all():
        return []
    said = f"every map of {image!r} is zero in every pixel: to this method the network is flat"
    return [Reason("blank", said, refuses=False)]


def _incomplete(deltas: list[NDArray[np.float64]]) -> list[Reason]:
    if not deltas:
        return []
    off = ~(np.concatenate(deltas) <= saliency.DELTA)
    if not off.any():
        return []
    said = (
        f"{off.sum()} of {len(off)} maps do not add up to what they explain: they are off by more "
        f"than {saliency.DELTA:.0%} of it"
    )
    return [Reason("incomplete", said, refuses=False)]


def read(artifact: Artifact, reader: Reader) -> Maps:
    """Return the maps, none of which is read yet."""
    if not _old_layouts.explains_labels(artifact.recipe):
        return current(artifact)
    told = artifact.json(ABOUT)
    records = told.pop("images", {})
    if _old_layouts.is_old(artifact.recipe):
        whole = {k: Whole(v) for k, v in artifact.arrays(OLD_FILE).items()}
        return Maps(artifact, About(**told), whole, lambda image: whole[image].summary)
    return _stored(artifact, About(**told), records)


def current(artifact: Artifact) -> Maps:
    """Return the maps that `write` stored, in an artifact of whatever kind; none is read yet."""
    told = artifact.json(ABOUT)
    records = told.pop("images")
    return _stored(artifact, About.from_json(told), records)


def _stored(artifact: Artifact, about: About, records: Mapping[str, Any]) -> Maps:
    stored = {image: Blocks(artifact, record) for image, record in records.items()}
    arrays = artifact.entries(SUMMARY)

    def summary(image: str) -> Summary:
        names = [field.name for field in fields(Summary) if f"{field.name}/{image}" in arrays]
        own: dict[str, Any] = {name: arrays[f"{name}/{image}"] for name in names}
        return Summary(**{**own, "model_scale": float(own["model_scale"])})

    named = {key: key.rsplit("/", 1) for key in arrays}
    facts = {
        (name.removeprefix(_FACT), image): key
        for key, (name, image) in named.items()
        if name.startswith(_FACT)
    }
    indices = {image: key for key, (name, image) in named.items() if name == _subset.INDICES}
    return Maps(artifact, about, stored, summary, Named(arrays, facts), Named(arrays, indices))

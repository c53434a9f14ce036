"""Kind `examples`: what one attack makes of every test image of one model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator

from engine import attacks
from engine.artifacts import Artifact, Role, write_arrays
from engine.attacks import TargetRule
from engine.components import Document
from engine.datasets import Data, spread
from engine.jobs import _old_layouts, _subset
from engine.jobs._kinds import Reader
from engine.jobs._measuring import EXCESS, norms
from engine.jobs._requests import Asking, Label, Request, Section, SomeAttack, aimed, ball_of
from engine.jobs.answers import Answers
from engine.jobs.source import Source

if TYPE_CHECKING:
    from engine.jobs.context import Job

VERSION = 3
"""2: source images and the model's answers to them are artifacts of their own. 3: 8-bit pixels are
kept in the attack's ball, which the recipe names."""
STAGE = "attack"
FILE = "examples.npz"
CLEAN = "clean"
"""What a picture without an attack is called, where others are called by their attack."""


def _no_clean(label: str) -> str:
    if label == CLEAN:
        raise ValueError(
            f"an attack's label may not be {CLEAN!r}, which addresses and study files call the "
            "undisturbed image; choose another"
        )
    return label


AttackLabel = Annotated[Label, AfterValidator(_no_clean)]


class AttackSpec(Document):
    """One attack, made for every model.

    Attributes:
        title: its name for readers.
        attack: the component.
        target: which class a targeted one aims at: by a rule of the attacked model or of the
            label, see `engine.attacks.choose_target`, or `random`, the same for every model, see
            `engine.attacks.random_targets`. None: for a control the targets of the attack that it
            is as large as, if the file has it, so that both ask about the same label; else the
            next class.
        images: how many test images, spread over the classes; None means all. The same image has
            the same example whatever it is.
    """

    title: str
    attack: SomeAttack
    target: TargetRule | None = None
    images: _subset.SomeImages = None


SECTION = Section("attacks", dict[AttackLabel, AttackSpec])


@dataclass(frozen=True)
class Examples:
    """What one attack made of test images of one model; arrays of length N.

    Prediction, confidence and norms are those of the 8-bit pixels on the original model.

    Attributes:
        artifact: where they are stored.
        source, before: give all test images, and the model's answers to these.
        indices: which of the test images they were made from, ascending.
        pixels: uint8 (N, C, H, W), after the attack.
        target: the class aimed at, or for an untargeted attack the class it ended in.
        label, confidence: the model's answer to the example.
        unrounded_label: its answer before rounding.
        linf, l2: norms of the change, in units of the pixel range; l0: number of changed pixels.
        excess: (N,) how far the norm is above eps where the attack worked behind the network's
            preprocessing (`space: model_input`), in that space; None where it did not.
    """

    artifact: Artifact
    source: Callable[[], Source]
    before: Callable[[], Answers]
    indices: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    target: NDArray[np.int64]
    label: NDArray[np.int64]
    confidence: NDArray[np.float32]
    unrounded_label: NDArray[np.int64]
    linf: NDArray[np.float64]
    l2: NDArray[np.float64]
    l0: NDArray[np.int64]
    excess: NDArray[np.float64] | None = None

    @property
    def ball(self) -> dict[str, Any] | None:
        """The ball that the examples are in: `norm`, `eps` and `space`.

        None where the attack has none, and of runs from before examples were kept in it.
        """
        found: dict[str, Any] | None = self.artifact.recipe.config.get("ball")
        return found

    @property
    def clean(self) -> NDArray[np.uint8]:
        """uint8 (N, C, H, W), before the attack."""
        return self._own(self.source().pixels)

    @property
    def true_label(self) -> NDArray[np.int64]:
        """(N,) the dataset's label."""
        return self._own(self.source().labels)

    @property
    def before_label(self) -> NDArray[np.int64]:
        """(N,) the model's answer to the clean image."""
        return self._own(self.before().label)

    @property
    def before_confidence(self) -> NDArray[np.float32]:
        """(N,) the model's confidence in its answer to the clean image."""
        return self._own(self.before().confidence)

    @property
    def mistakes(self) -> NDArray[np.bool_]:
        """(N,) whether the example is a mistake stimulus: prediction = target, not the truth."""
        hit: NDArray[np.bool_] = (self.label == self.target) & (self.label != self.true_label)
        return hit

    @property
    def taken(self) -> NDArray[np.bool_]:
        """Which of all test images were attacked."""
        return self.over_all(np.ones(len(self), dtype=np.bool_), fill=False)

    def __len__(self) -> int:
        return len(self.indices)

    def row(self, index: int) -> int:
        """Return the place of test image `index` in the arrays.

        Raises:
            UsageError: it was not attacked.
        """
        return _subset.row(self.indices, index, f"attack {self._name!r}")

    def over_all(self, values: NDArray[Any], fill: Any) -> NDArray[Any]:
        """Return values (N, ...) of the attacked images for all test images, `fill` elsewhere."""
        whole = np.full((len(self.source()), *values.shape[1:]), fill, values.dtype)
        whole[self.indices] = values
        return whole

    @property
    def _name(self) -> str:
        return str(self.artifact.recipe.config["attack"]["name"])

    def _own(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return those of the attacked images, of values of all test images."""
        return values if len(self) == len(values) else values[self.indices]


def wanted(run: Asking, label: str) -> Iterator[Request]:
    """Ask for the examples of every attack on the model `label`."""
    for attack, spec in run.section(SECTION.name).items():
        yield Request(
            Role("examples", label, attack),
            f"attack {label} with {attack}",
            {
                **aimed(spec.attack, *_target(attack, run.section(SECTION.name))),
                "ball": ball_of(spec.attack),
                "split": "test",
                **_subset.said(spec.images),
            },
            {
                Role("model"): Role("model", label),
                Role("source"): Role("source"),
                Role("answers"): Role("answers", label),
            },
            spec.attack.versions(),
        )


def _target(label: str, section: Mapping[str, AttackSpec]) -> tuple[TargetRule, str]:
    """Return the rule by which an attack chooses targets, and the label that random ones follow."""
    spec = section[label]
    if spec.target is None and spec.attack.control:
        for like in spec.attack.made_of():
            for other, theirs in section.items():
                if theirs.attack.config() == like.config():
                    return theirs.target or "next_class", other
    return spec.target or "next_class", label


def image_notes(section: Mapping[str, AttackSpec], data: Data) -> Iterator[str]:
    """Yield what is to be said of the images that attacks ask for."""
    yield from _subset.notes_by_label(SECTION.name, section, data)


def make(job: Job) -> None:
    """Attack the test images; what is stored is measured on the 8-bit pixels."""
    from engine.networks.inference import predict

    source = job.source()
    chosen = spread(source.labels, job.config.get("images"))
    split = _subset.some(source, chosen)
    network = job.model(Role("model"))
    attack = attacks.registry.from_config(job.config["attack"])
    examples, aim = job.attack(attack, network, split, places=chosen, progress=job.progress)
    eight_bit = job.eight_bit(attack, network, split, examples)
    unrounded, _ = predict(network, examples)
    after, confidence = predict(network, eight_bit.images)
    arrays: dict[str, NDArray[Any]] = {
        "pixels": eight_bit.pixels,
        "target": aim if attack.targeted else after,
        "label": after,
        "confidence": confidence,
        "unrounded_label": unrounded,
        **norms(eight_bit.pixels, split.pixels),
        **_subset.stored(chosen, len(source)),
    }
    if eight_bit.excess is not None:
        arrays[EXCESS] = eight_bit.excess
    if _old_layouts.is_old(job.recipe):
        arrays = _old_layouts.examples(arrays, split, predict(network, split.images))
    write_arrays(job.draft / FILE, arrays)


def read(artifact: Artifact, reader: Reader) -> Examples:
    """Return the examples; images and answers are read when they are asked for."""
    arrays = artifact.arrays(FILE)
    arrays[_subset.INDICES] = indices(arrays)
    if _old_layouts.is_old(artifact.recipe):
        source, before, arrays = _old_layouts.split_examples(artifact, arrays, reader)
        return Examples(artifact, lambda: source, lambda: before, **arrays)
    return Examples(
        artifact,
        lambda: reader.parent(artifact, Role("source")),
        lambda: reader.parent(artifact, Role("answers")),
        **arrays,
    )


def indices(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
    """Return which of the test images stored examples were made from."""
    found = arrays.get(_subset.INDICES)
    return np.arange(len(arrays["label"])) if found is None else found

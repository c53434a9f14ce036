"""Training: one visible loop for every defense."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from engine import attacks, seeds
from engine.datasets import Data, Split, evenly
from engine.defenses import Context, Defense
from engine.errors import DivergedError, NotFiniteError
from engine.networks import memory, state
from engine.networks.inference import (
    MOST_CLASSES,
    device_of,
    frozen,
    gradient_norms,
    parts,
    predict,
)
from engine.preprocessing import Space
from engine.rendering import to_images
from engine.training import step_memory
from engine.training.checkpoint import Checkpoint
from engine.training.double_backward import PenaltyStep

Progress = Callable[[Mapping[str, Any]], None]
"""Called with {"step", "steps"} at the start, and with loss and accuracy too now and then."""


class TrainingConfig(BaseModel):
    """The schedule: Adam at a constant rate.

    Attributes:
        steps: number of batches.
        batch_size: images in a batch; every epoch is a fresh permutation, its rest is dropped.
        lr: Adam's learning rate.
        adam_eps: Adam's epsilon; the authors' 1e-4 freezes distillation's tiny gradients.
        report_every: steps between two points of the curves.
        watch_eps: FGSM's eps for the adversarial accuracy of the curves.
        watch_space: the space of that eps; see `engine.attacks.GradientAttack`.
        keep_every: steps between two sets of weights that are kept beside the last one, to draw
            robustness against training time; None keeps none.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra=attacks.describe_pixels
    )

    steps: int = Field(400, ge=1)
    batch_size: int = Field(128, ge=2)
    lr: float = Field(1e-3, gt=0)
    adam_eps: float = Field(1e-8, gt=0)
    report_every: int = Field(50, ge=1)
    watch_eps: attacks.Eps = 0.1
    watch_space: Space = "pixels"
    keep_every: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _eps_within_pixels(self) -> TrainingConfig:
        if self.watch_space == "pixels":
            attacks.require_within_pixels({"watch_eps": self.watch_eps})
        return self


WATCHED = 64
"""Validation images that the curves' adversarial accuracy and gradient norms are taken on."""


def train(
    model: nn.Module,
    defense: Defense,
    data: Data,
    config: TrainingConfig,
    *,
    seed: int,
    required: Mapping[str, nn.Module] | None = None,
    progress: Progress = lambda _event: None,
    checkpoint: Checkpoint | None = None,
    closed_form: bool = True,
) -> list[dict[str, Any]]:
    """Train `model` in place and leave it in evaluation mode; return its curve.

    Args:
        model: a fresh network.
        defense: the objective.
        data: trains on `train`, watches `valid`.
        config: the schedule.
        seed: decides the batches and dropout; equal seeds give equal weights, also when the
            training was stopped anywhere and resumed from its checkpoint.
        required: the trained models that `defense.requires()` names, by role.
        progress: see `Progress`.
        checkpoint: where to go on from and where to save the state now and then.
        closed_form: differentiate BatchNorm twice in closed form where a penalty needs it on the
            CPU (`double_backward`); gradients differ from PyTorch's by rounding alone.

    Returns:
        One dict a report: step, loss, the loss's terms, and what `watch` sees on the validation
        images (all before `Defense.finalize`, which comes last).

    Raises:
        UsageError: the defense cannot train such a network.
        PlausiblyError: a step does not fit into the memory budget of the job.
        DivergedError: a term of the loss or, in the last step, a weight became NaN or infinite.
    """
    defense.check(model, evenly(data.train, 2).images)
    device = device_of(model)
    for teacher in (required or {}).values():
        teacher.eval()
    step_of = PenaltyStep(model, defense, closed_form=closed_form)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr, eps=config.adam_eps)
    batches = _Batches(device, data.train, size=config.batch_size, seed=seed)
    context = Context(required=required or {})
    step_memory.require(memory.applied(), step_of, batches.of(1), context)
    record = _Record(model, optimizer, data.valid, config, progress, checkpoint)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        model.train()
        record.begin()
        for step in range(record.done + 1, config.steps + 1):
            # What is random in a step depends on the seed and the step alone.
            torch.manual_seed(seeds.derive(seed, "dropout", step))
            with record.finite(step):
                loss, terms = step_of(*batches.of(step), Context(required=required or {}))
                optimizer.step()
                record.add(step, loss.detach(), {k: term.detach() for k, term in terms.items()})
    _require_finite_weights(model, config.steps)
    model.eval()
    defense.finalize(model, data.train)
    return record.curve


class _Record:
    """What a training leaves on its way: its curve, weights of some steps, a state to go on from.

    Attributes:
        done: the last step of the state that it goes on from, 0 at the start.
        curve: see `train`.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        valid: Split,
        config: TrainingConfig,
        progress: Progress,
        checkpoint: Checkpoint | None,
    ) -> None:
        self._model = model
        self._optimizer = optimizer
        self._valid = valid
        self._config = config
        self._progress = progress
        self._checkpoint = checkpoint
        self._unread: list[tuple[int, dict[str, Tensor]]] = []
        self.done, self.curve = checkpoint.load(model, optimizer) if checkpoint else (0, [])

    def begin(self) -> None:
        """Tell where the training starts."""
        self._progress({"step": self.done, "steps": self._config.steps})

    def add(self, step: int, loss: Tensor, terms: dict[str, Tensor]) -> None:
        """Note a step that was taken, and report, keep and save where it is time to.

        Raises:
            DivergedError: at a report, a term since the last one is NaN or infinite.
        """
        config, checkpoint = self._config, self._checkpoint
        self._unread.append((step, terms))
        if checkpoint and config.keep_every and step % config.keep_every == 0:
            checkpoint.keep(self._model, step)
        if step % config.report_every == 0 or step == config.steps:
            _require_finite(self._unread)
            self._unread.clear()
            point = {
                "step": step,
                "loss": float(loss),
                "terms": {name: float(term) for name, term in terms.items()},
                **watch(self._model, self._valid, config),
            }
            self.curve.append(point)
            self._progress({**point, "steps": config.steps})
            if checkpoint:
                checkpoint.save(self._model, self._optimizer, step, self.curve)

    @contextmanager
    def finite(self, step: int) -> Iterator[None]:
        """Say of a step in which something was not finite where that began: it tells more."""
        try:
            yield
        except NotFiniteError as error:
            _require_finite(self._unread)
            _require_finite_weights(self._model, step)
            raise DivergedError(error.what, error.value, step) from error


def watch(model: nn.Module, split: Split, config: TrainingConfig) -> dict[str, Any]:
    """Return what a training curve shows of `model`, which is left as found.

    `accuracy` on the whole split; on its first `WATCHED` images `adversarial_accuracy`, white
    box under the schedule's FGSM, and the medians of the input-gradient norms of the
    cross-entropy with the true label and with the others, as Ross & Doshi-Velez (2018) recorded
    them.
    """
    few = Split(split.pixels[:WATCHED], split.labels[:WATCHED])
    device = device_of(model)
    fgsm = attacks.create("fgsm", eps=config.watch_eps, space=config.watch_space)
    right = []
    for part in parts(model, few.images, few.labels, work="attacks"):
        x, y = (torch.from_numpy(each).to(device) for each in part)
        x_adv = fgsm(model, x, y)
        with frozen(model), torch.inference_mode():
            right.append(model(x_adv).argmax(1) == y)
    norms = gradient_norms(model, few.images, few.labels)
    classes = norms.shape[1]
    true = np.arange(classes) == few.labels[:, None]
    # Of many classes a few are measured; a NaN of few classes is the network's, and is shown.
    median = np.median if classes <= MOST_CLASSES else np.nanmedian
    return {
        "accuracy": accuracy(model, split),
        "adversarial_accuracy": float(torch.cat(right).float().mean()),
        "true_gradient_norm": float(np.median(norms[true])),
        "other_gradient_norm": float(median(norms[~true])),
    }


def accuracy(model: nn.Module, split: Split) -> float:
    """Return the share of `split` that `model` labels right."""
    predicted, _ = predict(model, split.images)
    return float((predicted == split.labels).mean())


class _Batches:
    """The batches of a training, on its device; every epoch is a fresh permutation.

    Pixels are held as bytes, of which only a batch's become floats: a split of 200000 colour images
    takes .6 GB so and 2.5 GB as floats, in every process.

    Args:
        device: where the network is.
        split: the images to train.
        size: of a batch.
        seed: decides the order.
    """

    def __init__(self, device: torch.device, split: Split, *, size: int, seed: int) -> None:
        pixels = split.pixels if split.pixels.flags.writeable else split.pixels.copy()
        self._pixels = torch.from_numpy(pixels).to(device)
        self._labels = torch.from_numpy(split.labels).to(device)
        # A table, since a GPU divides by multiplying with the reciprocal: other bits.
        levels = np.arange(256, dtype=np.uint8)
        self._levels = torch.from_numpy(to_images(levels)).to(device)
        self._size = size
        self._seed = seed

    def of(self, step: int) -> tuple[Tensor, Tensor]:
        """Return images (float32 in [0, 1]) and labels of the batch of `step`, from 1."""
        count = len(self._labels)
        size = min(self._size, count)
        epoch, place = divmod(step - 1, count // size)
        generator = torch.Generator().manual_seed(seeds.derive(self._seed, "batches", epoch))
        order = torch.randperm(count, generator=generator)
        chosen = order[place * size : (place + 1) * size].to(self._labels.device)
        return self._levels[self._pixels[chosen].long()], self._labels[chosen]


def _require_finite_weights(model: nn.Module, step: int) -> None:
    """Raise `DivergedError` when the last update, which no loss has seen, left NaN or infinity."""
    broken = state.not_finite(model)
    if broken is not None:
        raise DivergedError(*broken, step)


def _require_finite(steps: list[tuple[int, dict[str, Tensor]]]) -> None:
    """Raise `DivergedError` for the first step with a term that is not finite.

    Looked at only when there is a report: on a GPU every look waits for the device.
    """
    for step, terms in steps:
        values = {name: float(term) for name, term in terms.items()}
        for name, value in values.items():
            if not math.isfinite(value):
                raise DivergedError(name, str(value), step)
        if not math.isfinite(sum(values.values())):
            raise DivergedError("loss", str(sum(values.values())), step)

"""Training: one visible loop for every defense."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from engine import attacks, seeds
from engine.datasets import Data, Split
from engine.defenses import Context, Defense, Terms
from engine.errors import DivergedError
from engine.networks.inference import device_of, frozen, gradient_norms, predict
from engine.preprocessing import Space
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

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(400, ge=1)
    batch_size: int = Field(128, ge=2)
    lr: float = Field(1e-3, gt=0)
    adam_eps: float = Field(1e-8, gt=0)
    report_every: int = Field(50, ge=1)
    watch_eps: float = Field(0.1, ge=0, le=1)
    watch_space: Space = "pixels"
    keep_every: int | None = Field(None, ge=1)


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
        One dict per report: step, loss, the loss's terms, and what `watch` sees on the validation
        images (all before `Defense.finalize`, which comes last).

    Raises:
        UsageError: the defense cannot train such a network.
        DivergedError: a term of the loss or, in the last step, a weight became NaN or infinite.
    """
    defense.check(model)
    steps = _Steps(model, defense, data.train, config, seed, required or {}, closed_form)
    done, curve = checkpoint.load(model, steps.optimizer) if checkpoint else (0, [])
    unread: list[tuple[int, Terms]] = []
    device = device_of(model)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        model.train()
        progress({"step": done, "steps": config.steps})
        for step in range(done + 1, config.steps + 1):
            loss, terms = steps.take(step)
            unread.append((step, terms))
            if checkpoint and config.keep_every and step % config.keep_every == 0:
                checkpoint.keep(model, step)
            if step % config.report_every == 0 or step == config.steps:
                _require_finite(unread)
                unread.clear()
                seen = watch(model, data.valid, config)
                curve.append({"step": step, "loss": float(loss), "terms": _read(terms), **seen})
                progress({**curve[-1], "steps": config.steps})
                if checkpoint:
                    checkpoint.save(model, steps.optimizer, step, curve)
    _require_finite_weights(model, config.steps)
    model.eval()
    defense.finalize(model, data.train)
    return curve


class _Steps:
    """Training, step by step; what is random in a step follows from the seed and its number.

    Args:
        model: the network.
        defense: the objective.
        split: what it is trained on.
        config: the schedule.
        seed: decides the batches and dropout.
        required: the trained models that the defense asks for, by role.
        closed_form: see `train`.
    """

    def __init__(
        self,
        model: nn.Module,
        defense: Defense,
        split: Split,
        config: TrainingConfig,
        seed: int,
        required: Mapping[str, nn.Module],
        closed_form: bool,
    ) -> None:
        device = device_of(model)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=config.lr, eps=config.adam_eps)
        self._gradients = PenaltyStep(model, defense, closed_form=closed_form)
        self._images = torch.from_numpy(split.images).to(device)
        self._labels = torch.from_numpy(split.labels).to(device)
        self._batch_size = min(config.batch_size, len(split))
        self._seed = seed
        self._required = required
        for teacher in required.values():
            teacher.eval()

    def take(self, step: int) -> tuple[Tensor, Terms]:
        """Take the step of this number, from 1; return the loss and its terms, detached."""
        torch.manual_seed(seeds.derive(self._seed, "dropout", step))
        chosen = self._chosen(step).to(self._labels.device)
        context = Context(required=self._required)
        loss, terms = self._gradients(self._images[chosen], self._labels[chosen], context)
        self.optimizer.step()
        return loss.detach(), {name: term.detach() for name, term in terms.items()}

    def _chosen(self, step: int) -> Tensor:
        """Return the indices of the step's batch; each epoch is a fresh permutation."""
        count, size = len(self._labels), self._batch_size
        epoch, place = divmod(step - 1, count // size)
        generator = torch.Generator().manual_seed(seeds.derive(self._seed, "batches", epoch))
        return torch.randperm(count, generator=generator)[place * size : (place + 1) * size]


def watch(model: nn.Module, split: Split, config: TrainingConfig) -> dict[str, Any]:
    """Return what a training curve shows of `model`, which is left as found.

    `accuracy` on the whole split; on its first `WATCHED` images `adversarial_accuracy`, white
    box under the schedule's FGSM, and the medians of the input-gradient norms of the
    cross-entropy with the true label and with the others, as Ross & Doshi-Velez (2018) recorded
    them.
    """
    few = Split(split.pixels[:WATCHED], split.labels[:WATCHED])
    device = device_of(model)
    x, y = torch.from_numpy(few.images).to(device), torch.from_numpy(few.labels).to(device)
    fgsm = attacks.create("fgsm", eps=config.watch_eps, space=config.watch_space)
    x_adv = fgsm(model, x, y)
    with frozen(model), torch.inference_mode():
        right = (model(x_adv).argmax(1) == y).float().mean()
    norms = gradient_norms(model, few.images)
    true = F.one_hot(y, norms.shape[1]).bool().cpu().numpy()
    return {
        "accuracy": accuracy(model, split),
        "adversarial_accuracy": float(right),
        "true_gradient_norm": float(np.median(norms[true])),
        "other_gradient_norm": float(np.median(norms[~true])),
    }


def accuracy(model: nn.Module, split: Split) -> float:
    """Return the share of `split` that `model` labels right."""
    predicted, _ = predict(model, split.images)
    return float((predicted == split.labels).mean())


def _require_finite_weights(model: nn.Module, step: int) -> None:
    """Raise `DivergedError` when the last update, which no loss has seen, left NaN or infinity."""
    for name, tensor in model.state_dict().items():
        wrong = tensor[~tensor.isfinite()]
        if len(wrong):
            raise DivergedError(name, str(float(wrong[0])), step)


def _require_finite(steps: list[tuple[int, Terms]]) -> None:
    """Raise `DivergedError` for the first step with a term that is not finite.

    Looked at only when there is a report: on a GPU every look waits for the device.
    """
    for step, terms in steps:
        values = _read(terms)
        for name, value in values.items():
            if not math.isfinite(value):
                raise DivergedError(name, str(value), step)
        if not math.isfinite(sum(values.values())):
            raise DivergedError("loss", str(sum(values.values())), step)


def _read(terms: Terms) -> dict[str, float]:
    return {name: float(term) for name, term in terms.items()}

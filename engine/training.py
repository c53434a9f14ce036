"""Training: one visible loop for every defense."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from engine import seeds
from engine.checkpoint import Checkpoint
from engine.datasets import Data, Split
from engine.defenses import Context, Defense
from engine.errors import PlausiblyError
from engine.inference import predict

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
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(400, ge=1)
    batch_size: int = Field(128, ge=2)
    lr: float = Field(1e-3, gt=0)
    adam_eps: float = Field(1e-8, gt=0)
    report_every: int = Field(50, ge=1)


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

    Returns:
        One dict a report: step, loss, the loss's terms, validation accuracy (all before
        `Defense.finalize`, which comes last).

    Raises:
        UsageError: the defense cannot train such a network.
        PlausiblyError: a term of the loss became NaN or infinite; the message names it.
    """
    defense.check(model)
    images, labels = torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr, eps=config.adam_eps)
    for teacher in (required or {}).values():
        teacher.eval()
    done, curve = checkpoint.load(model, optimizer) if checkpoint else (0, [])
    with torch.random.fork_rng(devices=[]):
        model.train()
        progress({"step": done, "steps": config.steps})
        for step in range(done + 1, config.steps + 1):
            # What is random in a step depends on the seed and the step alone.
            torch.manual_seed(seeds.derive(seed, "dropout", step))
            chosen = _batch(len(labels), config.batch_size, step, seed)
            context = Context(required=required or {})
            loss, terms = defense.loss(model, images[chosen], labels[chosen], context)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if step % config.report_every == 0 or step == config.steps:
                point = {
                    "step": step,
                    "loss": _finite("loss", loss, step),
                    "terms": {name: _finite(name, term, step) for name, term in terms.items()},
                    "accuracy": accuracy(model, data.valid),
                }
                curve.append(point)
                progress({**point, "steps": config.steps})
                if checkpoint:
                    checkpoint.save(model, optimizer, step, curve)
    model.eval()
    defense.finalize(model, data.train)
    return curve


def accuracy(model: nn.Module, split: Split) -> float:
    """Return the share of `split` that `model` labels right."""
    predicted, _ = predict(model, split.images)
    return float((predicted == split.labels).mean())


def _batch(count: int, size: int, step: int, seed: int) -> Tensor:
    """Return the indices of the batch of `step` (from 1); each epoch is a fresh permutation."""
    size = min(size, count)
    epoch, place = divmod(step - 1, count // size)
    generator = torch.Generator().manual_seed(seeds.derive(seed, "batches", epoch))
    return torch.randperm(count, generator=generator)[place * size : (place + 1) * size]


def _finite(name: str, value: Tensor, step: int) -> float:
    number = float(value.detach())
    if not math.isfinite(number):
        raise PlausiblyError(
            f"training diverged: {name} is {number} at step {step}; "
            "a smaller learning rate or strength may help"
        )
    return number

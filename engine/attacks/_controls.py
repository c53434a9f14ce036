"""What the controls share: a disturbance as large as a real attack's, without its meaning."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from engine.attacks import Attack, Batch, Trace, registry

_BISECTIONS = 40


class Control(Attack):
    """x + a * d clipped to [0, 1], a such that the L2 norm is that of `like`; see `direction`.

    Per image as large, in L2 after clipping, as the example that the attack `like` makes for the
    same model and target. The norm does not fall as a grows, so bisection finds a; where even
    saturated pixels do not reach the norm, the largest reachable one is used.

    Attributes:
        like: configuration of the attack whose norms are matched.
    """

    targeted: ClassVar[bool] = True
    control: ClassVar[bool] = True

    like: dict[str, Any] = Field({"name": "tgsm"}, json_schema_extra={"member": "attack"})

    @field_validator("like")
    @classmethod
    def _resolve(cls, value: dict[str, Any]) -> dict[str, Any]:
        return registry.from_config(value).config()

    def made_of(self) -> tuple[Attack, ...]:
        """Return the attack whose norms are matched."""
        return (registry.from_config(self.like),)

    def direction(self, delta: Tensor, batch: Batch) -> Tensor:
        """Return d (N, C, H, W) for the perturbations `delta` that `like` makes of the batch."""
        raise NotImplementedError

    def run(self, model: nn.Module, batch: Batch, trace: Trace) -> Tensor:
        """Compute the controls; see `Attack.run`. The trace has start and end only."""
        x = batch.x
        trace(x)
        attack = registry.from_config(self.like)
        delta = attack(model, x, batch.y, batch.target, seeds=batch.seeds) - x
        disturbed = _as_large(x, self.direction(delta, batch), _l2(delta))
        trace(disturbed)
        return disturbed


def _as_large(x: Tensor, direction: Tensor, wanted: Tensor) -> Tensor:
    """Return x + a * direction clipped to [0, 1], at the L2 distance `wanted` (N,) from x."""
    size = direction.abs()
    smallest = torch.where(size > 0, size, torch.inf).amin((1, 2, 3), keepdim=True)
    # At a = 1 every pixel that changes at all is saturated.
    direction = direction / torch.where(smallest.isfinite(), smallest, 1)

    def disturb(amplitude: Tensor) -> Tensor:
        return (x + amplitude[:, None, None, None] * direction).clamp(0, 1)

    low, high = torch.zeros_like(wanted), torch.ones_like(wanted)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        enough = _l2(disturb(middle) - x) >= wanted
        low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
    return disturb(high)


def _l2(delta: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(delta.flatten(1), dim=1)
    return norm

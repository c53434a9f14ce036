"""Control: random signs with the size of a real attack's perturbation."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from engine.attacks import Attack, Trace, register, registry

_BISECTIONS = 40


@register
class RandomSign(Attack):
    """x + a * s clipped to [0, 1], s random signs, a such that the L2 norm is that of `like`.

    The control for "people see the target because the image was disturbed at all": per image as
    large, in L2 after clipping, as the example that the attack `like` makes for the same model
    and target. The norm does not fall as a grows, so bisection finds a; where even saturated
    pixels do not reach the norm, the largest reachable one is used.

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

    def run(
        self,
        model: nn.Module,
        x: Tensor,
        y: Tensor,
        target: Tensor | None,
        seeds: Tensor,
        trace: Trace,
    ) -> Tensor:
        """Compute the controls; see `Attack.run`. The trace has start and end only."""
        trace(x)
        attack = registry.from_config(self.like)
        wanted = _l2(attack(model, x, y, target, seeds=seeds) - x)
        signs = torch.stack([_signs(x[0], int(seed)) for seed in seeds]).to(x)

        def disturb(amplitude: Tensor) -> Tensor:
            return (x + amplitude[:, None, None, None] * signs).clamp(0, 1)

        low = torch.zeros_like(wanted)
        high = torch.ones_like(wanted)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            enough = _l2(disturb(middle) - x) >= wanted
            low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
        noisy = disturb(high)
        trace(noisy)
        return noisy


def _l2(delta: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(delta.flatten(1), dim=1)
    return norm


def _signs(like: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, like.shape, generator=generator) * 2.0 - 1

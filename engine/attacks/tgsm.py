"""Targeted gradient sign method, one step or iterated."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from engine.attacks import Batch, Eps, GradientAttack, Trace, clip, register
from engine.attacks._balls import Norm
from engine.attacks._losses import Loss, each
from engine.networks.inference import input_gradient


@register
class TGSM(GradientAttack):
    """x <- x - step_size * sign(grad_x H(t, f(x))), clipped to [0, 1], `steps` times.

    Kurakin, Goodfellow & Bengio (2017); as run by Ross & Doshi-Velez (2018): ten steps of 0.1
    and no projection. Without a target the next class, (y + 1) mod K, is aimed at.

    Attributes:
        step_size: change of a pixel in one step, in units of the pixel range, or of the model
            input.
        steps: number of steps; 1 is the one-step attack.
        eps: largest change of a pixel over all steps (L-inf); None means no projection.
        loss: what falls: "cross_entropy" with the target, or the "margin", the largest other
            logit minus the target's.
    """

    targeted: ClassVar[bool] = True

    step_size: Eps = 0.1
    steps: int = Field(10, ge=1)
    eps: Eps | None = None
    loss: Loss = "cross_entropy"

    def budget(self) -> tuple[Norm, float] | None:
        """Return L-inf and eps where there is one; see `Attack.budget`."""
        return None if self.eps is None else ("linf", self.eps)

    def run(self, model: nn.Module, batch: Batch, trace: Trace) -> Tensor:
        """Return the examples; see `Attack.run`."""
        x = x_adv = batch.x
        trace(x)
        for _ in range(self.steps):
            x_adv = x_adv.detach().requires_grad_(True)
            logits = model(x_adv)
            aim = batch.aim(logits.shape[1])
            gradient = input_gradient(each(self.loss, logits, aim).sum(), x_adv)
            x_adv = x_adv.detach() - self.step_size * gradient.sign()
            if self.eps is not None:
                x_adv = x_adv.clamp(x - self.eps, x + self.eps)
            x_adv = clip(model, x_adv)
            trace(x_adv)
        return x_adv

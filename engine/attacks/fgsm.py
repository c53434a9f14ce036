"""Fast gradient sign method: one step up the loss."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from engine.attacks import Batch, Eps, GradientAttack, Trace, clip, register
from engine.attacks._balls import Norm
from engine.attacks._losses import Loss, each
from engine.networks.inference import input_gradient


@register
class FGSM(GradientAttack):
    """x + eps * sign(grad_x H(y, f(x))), clipped to [0, 1].

    Goodfellow, Shlens & Szegedy (2015), equation in section 4. Where the gradient is exactly
    zero the sign is 0 and the pixel stays: on a masked model the clean image comes back.

    Attributes:
        eps: largest change of a pixel (L-inf), in units of the pixel range, or of the model input.
        label: whose loss rises: the true label, or the model's own prediction, which leaks no
            label into adversarial training.
        loss: "cross_entropy", or the logit "margin", which moves the image where cross-entropy
            is masked.
    """

    eps: Eps = 0.3
    label: Literal["true", "predicted"] = "true"
    loss: Loss = "cross_entropy"

    def budget(self) -> tuple[Norm, float]:
        """Return L-inf and eps; see `Attack.budget`."""
        return "linf", self.eps

    def run(self, model: nn.Module, batch: Batch, trace: Trace) -> Tensor:
        """Return the examples; see `Attack.run`. The target is ignored: the attack has none."""
        trace(batch.x)
        x = batch.x.clone().requires_grad_(True)
        logits = model(x)
        label = batch.y if self.label == "true" else logits.argmax(1)
        gradient = input_gradient(each(self.loss, logits, label).sum(), x)
        x_adv = clip(model, x + self.eps * gradient.sign())
        trace(x_adv.detach())
        return x_adv

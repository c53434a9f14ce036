"""Training on FGSM examples made on the fly."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from engine import attacks
from engine.defenses import Context, Defense, Terms, register


@register
class AdversarialTraining(Defense):
    """(1 - mix) * mean H(y, f(x)) + mix * mean H(y, f(x_adv)).

    Goodfellow, Shlens & Szegedy (2015) as run by Ross & Doshi-Velez (2018): FGSM made from the
    *predicted* label, so that the perturbation tells nothing about the true one (label leaking,
    Kurakin et al. 2017). The example is made in evaluation mode and is a constant for the
    gradient. Both halves go through the network as one batch: with a pass each, BatchNorm
    normalises each half by its own statistics, and the deployed network, which has one set, is
    right on neither (clean accuracy .12 on the built-in digits).

    Attributes:
        eps: size of the FGSM step (L-inf), in units of the pixel range.
        mix: weight of the adversarial half.
    """

    has_objective: ClassVar[bool] = True

    eps: float = Field(0.3, ge=0, le=1)
    mix: float = Field(0.5, ge=0, le=1)

    def objective(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Terms:
        """Return the weighted clean and adversarial cross-entropies."""
        x_adv = attacks.create("fgsm", eps=self.eps, label="predicted")(model, x, y)
        clean, adversarial = context.clean_beside(model, x, x_adv)
        return {
            "cross_entropy": (1 - self.mix) * F.cross_entropy(clean, y),
            "adversarial": self.mix * F.cross_entropy(adversarial, y),
        }

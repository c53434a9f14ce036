"""Training on adversarial examples made on the fly."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from engine import attacks
from engine.defenses import Context, Defense, Terms, register
from engine.preprocessing import Space

_FIRST = {"fgsm": 1, "pgd": 3}
"""The first versions of the attacks that give the bits that version 1 trained with.

Version 2 of PGD gave them too: 3 changed its steps where their length is left to it, and what is
kept of a first success. Here the length is always said, and the last iterate kept.
"""


@register
class AdversarialTraining(Defense):
    """(1 - mix) * mean H(y, f(x)) + mix * mean H(y, f(x_adv)).

    With the defaults x_adv is FGSM: Goodfellow, Shlens & Szegedy (2015) as run by Ross &
    Doshi-Velez (2018). `random_start` with one step is the fast variant of Wong, Rice & Kolter
    (2020); more steps are PGD (Madry et al. 2018, who train with mix = 1).

    The example is made from the *predicted* label, so that the perturbation tells nothing about
    the true one (label leaking, Kurakin et al. 2017), in evaluation mode, and is a constant for
    the gradient. Both halves go through the network as one batch: with a pass each, BatchNorm
    normalises each half by its own statistics, and the deployed network, which has one set, is
    right on neither (clean accuracy .12 on the built-in digits).

    Attributes:
        eps: largest change (L-inf), in units of the pixel range, or of the model input.
        mix: weight of the adversarial half.
        steps: gradient steps to make an example.
        step_size: of one step; None means eps for one step from the image, 1.25 * eps for one
            from a random start (Wong et al.), and 2.5 * eps / steps for several.
        random_start: start at a random point within eps of the image.
        space: where steps are measured and made; see `engine.attacks.GradientAttack`.
    """

    model_config = ConfigDict(json_schema_extra=attacks.describe_pixels)

    has_objective: ClassVar[bool] = True
    version: ClassVar[int] = 1 + sum(
        attacks.registry.get(name).version - first for name, first in _FIRST.items()
    )

    eps: attacks.Eps = 0.3
    mix: float = Field(0.5, ge=0, le=1)
    steps: int = Field(1, ge=1)
    step_size: attacks.Eps | None = None
    random_start: bool = False
    space: Space = "pixels"

    @model_validator(mode="after")
    def _sizes_within_pixels(self) -> AdversarialTraining:
        if self.space == "pixels":
            attacks.require_within_pixels({"eps": self.eps, "step_size": self.step_size})
        return self

    def fits_one_step(self) -> bool:
        """Whether there is one step, and it counts; see `Defense.fits_one_step`."""
        return self.steps == 1 and self.mix > 0 and self.eps > 0

    def objective(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Terms:
        """Return the weighted clean and adversarial cross-entropies."""
        x_adv = self._examples(model, x, y)
        clean, adversarial = context.clean_beside(model, x, x_adv)
        return {
            "cross_entropy": (1 - self.mix) * F.cross_entropy(clean, y),
            "adversarial": self.mix * F.cross_entropy(adversarial, y),
        }

    def _examples(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        step_size = self.step_size
        if step_size is None and self.steps == 1:
            step_size = (1.25 if self.random_start else 1.0) * self.eps
        elif step_size is None:
            step_size = 2.5 * self.eps / self.steps
        if self.steps == 1 and not self.random_start and step_size == self.eps:
            # The same examples, and their label from the forward pass that the gradient needs.
            fgsm = attacks.create("fgsm", eps=self.eps, label="predicted", space=self.space)
            return fgsm(model, x, y)
        attack = attacks.create(
            "pgd",
            eps=self.eps,
            steps=self.steps,
            step_size=step_size,
            random_start=self.random_start,
            label="predicted",
            space=self.space,
        )
        # Drawn from the step's own random state: what a resumed training draws again.
        seeds = torch.randint(2**62, (len(x),)) if self.random_start else None
        return attack(model, x, y, seeds=seeds)

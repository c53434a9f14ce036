"""Defensive distillation: learn a teacher's softened probabilities."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from engine.defenses import Context, Defense, Terms, create, register


@register
class Distillation(Defense):
    """mean_n H(softmax(z_teacher / T), softmax(z / T)); deployed at T = 1.

    Papernot et al. (2016), as run by Ross & Doshi-Velez (2018) with T = 50. At T = 1 the logits
    are about T times larger than an undefended model's, so that float32 cross-entropy gradients
    are exactly zero for most images: gradient masking, not robustness.

    Attributes:
        temperature: T, for the teacher's training and the student's.
    """

    has_objective: ClassVar[bool] = True

    temperature: float = Field(50.0, gt=0)

    def requires(self) -> dict[str, Defense]:
        """Return the teacher: trained with cross-entropy at the temperature."""
        return {"teacher": create("none", temperature=self.temperature)}

    def objective(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Terms:
        """Return the cross-entropy with the teacher's soft labels."""
        with torch.no_grad():
            soft = (context.required["teacher"](x) / self.temperature).softmax(1)
        _, logits = context.clean(model, x)
        return {"distillation": F.cross_entropy(logits / self.temperature, soft)}

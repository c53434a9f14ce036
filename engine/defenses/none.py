"""No defense: plain cross-entropy, also at a temperature (distillation's teacher)."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from engine.defenses import Context, Defense, Terms, register


@register
class NoDefense(Defense):
    """mean_n H(y_n, softmax(z_n / T)).

    Attributes:
        temperature: T; 1 is the undefended model, larger is a teacher for distillation.
    """

    temperature: float = Field(1.0, gt=0)

    def objective(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Terms:
        """Return the cross-entropy at the temperature."""
        _, logits = context.clean(model, x)
        return {"cross_entropy": F.cross_entropy(logits / self.temperature, y)}

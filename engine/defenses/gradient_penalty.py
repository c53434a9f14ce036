"""Input-gradient regularization, the defense that the platform was made to study."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from engine.defenses import Context, Defense, Terms, register
from engine.preprocessing import Space


@register
class GradientPenalty(Defense):
    """H(y, f) + strength * mean_n ||grad_x H_n||^2, or with the L1 norm, not squared.

    Ross & Doshi-Velez (2018), equation 4 (target `loss`: double backpropagation, Drucker & LeCun
    1992) and its variant with the uniform label (target `uniform`: certainty insensitivity).

    The convention is per example. The authors' code has lambda_tf * 1/2 * ||grad (mean_n H_n)||^2
    over the whole batch of B, so strength = lambda_tf / (2 B). With BatchNorm in training mode an
    example's loss depends on the whole batch; the gradient is that of the *summed* loss, cross
    terms included, as in the authors' code.

    Attributes:
        strength: lambda in the formula, in units of the space: squared per unit of loss for `l2`,
            plain for `l1`.
        target: whose cross-entropy is differentiated: the true label's (`loss`) or that with the
            uniform distribution 1/K (`uniform`).
        norm: `l2` is the squared L2 norm, the paper's; `l1` the L1 norm, the size of the change
            that an L-inf attack can make to the loss, to first order.
        space: what x is: the pixels, or the model input, behind the network's preprocessing. Behind
            a contrast normalisation of deviation sigma, lambda is lambda * sigma^2 in pixels, for
            every image its own. Ross & Doshi-Velez (2018) give theirs for SVHN there.
    """

    needs_input_gradient: ClassVar[bool] = True

    strength: float = Field(1.0, ge=0)
    target: Literal["loss", "uniform"] = "loss"
    norm: Literal["l2", "l1"] = "l2"
    space: Space = "pixels"

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Terms:
        """Return the weighted mean norm (squared, if L2) of the input gradient."""
        x, logits = context.clean(model, x, self.space)
        if self.target == "loss":
            loss = F.cross_entropy(logits, y, reduction="sum")
        else:
            loss = -logits.log_softmax(1).mean(1).sum()
        (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
        size = gradient.square() if self.norm == "l2" else gradient.abs()
        return {"penalty": self.strength * size.flatten(1).sum(1).mean()}

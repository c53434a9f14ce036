"""Layer-wise relevance propagation: a scalar, handed back layer by layer."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from engine.networks.structure import Structure
from engine.saliency import Reason, SaliencyMethod, register
from engine.saliency._batch import Batch, Explained
from engine.saliency._gradients import gradient
from engine.saliency._hooks import hooked
from engine.saliency._operations import averaged, left_over

_SCALING = ("Relu", "LeakyRelu", "MaxPool2DWithIndices", "AdaptiveMaxPool2D")
"""Operations that are not linear, but f(s x) = s f(x) for s > 0: all relevance goes through."""


@register
class LRP(SaliencyMethod):
    """Relevance of pixels by the epsilon rule in dense layers, the gamma rule in convolutions.

    Bach et al. (2015), equation 58; Montavon et al. (2019), "Layer-wise relevance propagation: an
    overview", section 10.2. A layer z_j = sum_i a_i w_ij + b_j hands on R_i = sum_j a_i v_ij R_j /
    (u_j + epsilon sign(u_j)), with v = w + gamma max(w, 0) and u_j what the layer gives with v;
    gamma is 0 in dense layers. Biases keep their share, so that maps do not add up to the scalar.
    Batch normalisation is a layer of its own, without epsilon and gamma.

    The rules are written as factors on gradients, so that sums of two branches and modules that
    are called twice need no rule. Captum 0.9 hands on relevance itself, and is wrong there in
    silence. With gamma 0 and a small epsilon a map is input times gradient (Ancona et al. 2018), as
    it is by Captum's default rules.

    Attributes:
        epsilon: in units of a layer's output; draws back what rests on small outputs.
        gamma: how much positive weights of convolutions are favoured.
    """

    epsilon: float = Field(1e-6, gt=0)
    gamma: float = Field(0.25, ge=0)

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        return (
            f"relevance of the pixel for {of} (layer-wise relevance propagation): where it is "
            "positive, the pixel as it is speaks for that"
        )

    def unfit(self, structure: Structure) -> list[Reason]:
        """Refuse networks with operations that have no rule."""
        ruled = {name: structure.nonlinear.get(name, 0) for name in _SCALING}
        return averaged(structure) or left_over(structure, ruled)

    def explain(self, batch: Batch) -> Explained:
        """Return signed relevance."""
        layers = [e for e in batch.model.modules() if isinstance(e, nn.Linear | nn.Conv2d)]
        with hooked(each.register_forward_hook(self._hand_back) for each in layers):
            return Explained(batch.x * gradient(batch, batch.x))

    def _hand_back(self, layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """Return the layer's output, whose gradient takes the way of the rule."""
        way = output
        if self.gamma and isinstance(layer, nn.Conv2d):
            way = _convolved(layer, inputs[0], self.gamma)
        found: Tensor = _Handed.apply(way, output.detach(), self.epsilon)  # type: ignore[no-untyped-call]
        return found


class _Handed(torch.autograd.Function):
    """z, whose gradient g goes to u as g * z / (u + epsilon sign(u))."""

    @staticmethod
    def forward(ctx: Any, way: Tensor, output: Tensor, epsilon: float) -> Tensor:
        """Return `output`."""
        below = torch.full_like(way, epsilon).copysign_(way).add_(way)
        ctx.save_for_backward(output / below)
        return output.view_as(output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        """Return the gradient for `way`."""
        (share,) = ctx.saved_tensors
        return gradients[0] * share, None, None


def _convolved(layer: nn.Conv2d, x: Tensor, gamma: float) -> Tensor:
    """Return what the convolution gives with its positive weights and biases favoured."""
    weight = layer.weight + gamma * layer.weight.clamp(min=0)
    bias = None if layer.bias is None else layer.bias + gamma * layer.bias.clamp(min=0)
    found: Tensor = layer._conv_forward(x, weight, bias)
    return found

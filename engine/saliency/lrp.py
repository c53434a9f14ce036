"""Layer-wise relevance propagation: a scalar, handed back layer by layer."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn

from engine.networks.structure import Structure
from engine.saliency import Reason, SaliencyMethod, register
from engine.saliency._explained import Batch, Explained
from engine.saliency._gradients import gradient
from engine.saliency._hooks import hooked
from engine.saliency._operations import averaged, left_over

_SCALING = ("Relu", "LeakyRelu", "MaxPool2DWithIndices", "AdaptiveMaxPool2D")
"""Operations that are not linear, but f(s x) = s f(x) for s > 0: all relevance goes through."""
_TINY = 1e-30


@register
class LRP(SaliencyMethod):
    """Relevance of pixels by the epsilon rule, in dense layers and convolutions.

    Bach et al. (2015), equation 58: a layer z_j = sum_i a_i w_ij + b_j hands on R_i = sum_j a_i
    w_ij R_j / (z_j + e sign(z_j)), with e = `epsilon` times the root mean square of the layer's
    outputs to the image, as Montavon et al. (2019) have it. Biases and e keep their share, so that
    maps do not add up to the scalar.

    The rule is written as a factor |z_j| / (|z_j| + e) on gradients, so that sums of two branches
    and modules that are called twice need no rule. Captum 0.9 hands on relevance itself, and is
    wrong there in silence. With epsilon near 0 a map is input times gradient (Ancona et al. 2018),
    as it is by Captum's default rules. The gamma rule is not here: with batch normalisation behind
    a convolution, and with signed inputs, it divides by what may be 0.

    Attributes:
        epsilon: how much is taken from what rests on small outputs; more gives sparser maps.
    """

    epsilon: float = Field(0.25, gt=0)

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

        def hand_back(_layer: nn.Module, _inputs: object, output: Tensor) -> None:
            if output.requires_grad:
                share = self._share(output.detach())
                output.register_hook(share.mul)  # type: ignore[no-untyped-call]

        layers = [e for e in batch.model.modules() if isinstance(e, nn.Linear | nn.Conv2d)]
        with hooked(each.register_forward_hook(hand_back) for each in layers):
            return Explained(batch.x * gradient(batch, batch.x))

    def _share(self, outputs: Tensor) -> Tensor:
        """Return the factors on the gradient at a layer's outputs (N, ...), of the same shape."""
        sizes = outputs.abs()
        dimensions = tuple(range(1, outputs.ndim))
        norm = torch.linalg.vector_norm(sizes, dim=dimensions, keepdim=True)
        mean = norm / math.sqrt(outputs[0].numel())
        # Outputs that are all zero hand on nothing: their share is 0, not 0 / 0.
        return sizes.div_(sizes + (self.epsilon * mean).clamp(min=_TINY))

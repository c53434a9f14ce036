"""Guided backpropagation: gradients that stay positive at every ReLU."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from engine.saliency import SaliencyMethod, register
from engine.saliency._explained import Batch, Explained
from engine.saliency._gradients import gradient
from engine.saliency._hooks import hooked, of_classes


@register
class GuidedBackprop(SaliencyMethod):
    """grad_x F, where every ReLU lets through only what is positive of the gradient at its output.

    Springenberg et al. (2015), "Striving for simplicity", section 3.4. It rests on ReLU modules:
    of a network without them it would be the plain gradient. Captum's hook clips the whole
    gradient at a ReLU's input, which is something else where that goes elsewhere too; here that at
    its output is clipped.

    Adebayo et al. (2018): it changes little when weights are drawn anew, and says of the network
    less than it seems to.
    """

    guided: ClassVar[bool] = True

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        return (
            f"guided backpropagation of {of}: where it is positive, brightening the pixel excites "
            "features that raise that; its size is no rate of change"
        )

    def explain(self, batch: Batch) -> Explained:
        """Return signed maps."""

        def guide(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            if output.requires_grad:
                output.register_hook(_positive)  # type: ignore[no-untyped-call]

        relus = of_classes(batch.model, "ReLU")
        with hooked(each.register_forward_hook(guide) for each in relus):
            return Explained(gradient(batch, batch.x))


def _positive(gradient: Tensor) -> Tensor:
    return gradient.clamp(min=0)

"""Guided Grad-CAM of Selvaraju et al. (2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from engine.saliency import SaliencyMethod, create, register
from engine.saliency._explained import Explained
from engine.saliency._of_layer import OfLayer

if TYPE_CHECKING:
    from engine.saliency._explained import Batch


@register
class GuidedGradCam(OfLayer):
    """Guided backprop times the positive part of Grad-CAM, drawn out to the image's size.

    Selvaraju et al. (2017), section 3.2. A map is zero where Grad-CAM is negative everywhere.
    Guided backprop (Springenberg et al. 2015) hardly depends on the weights of upper layers
    (Adebayo et al. 2018): compare its maps with those of `randomised_weights`.
    """

    guided: ClassVar[bool] = True

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        return (
            f"guided Grad-CAM of {of}: guided backprop where Grad-CAM of {self.of_layer} is "
            "positive, zero elsewhere; where it is positive, brightening the pixel strengthens "
            "features that speak for it"
        )

    def made_of(self) -> tuple[SaliencyMethod, ...]:
        """Return guided backprop."""
        return (create("guided_backprop"),)

    def explain(self, batch: Batch) -> Explained:
        """Return signed maps (N, C, H, W)."""
        cams = self.cam(batch).clamp_min(0)
        drawn = torch.nn.functional.interpolate(cams, batch.x.shape[2:], mode="bilinear")
        return Explained(create("guided_backprop").explain(batch).maps * drawn)

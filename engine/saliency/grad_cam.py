"""Grad-CAM of Selvaraju et al. (2017), signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.saliency import register
from engine.saliency._explained import Explained
from engine.saliency._of_layer import OfLayer

if TYPE_CHECKING:
    from engine.saliency._explained import Batch


@register
class GradCam(OfLayer):
    """sum_k alpha_k A_k, where alpha_k is the mean over all places of d F / d A_k.

    Selvaraju, Cogswell, Das, Vedantam, Parikh & Batra (2017), equations 1 and 2, without the ReLU
    of equation 2: below zero a map says what speaks against what is explained, and a map that is
    negative everywhere is one, and not an empty picture. In the resolution of the layer.

    It is what it says where the rest of the network takes means over all places. Behind a dense
    layer, which treats places differently, the mean gradient may point elsewhere than the gradients
    do (Draelos & Carin 2020): compare with `occlusion` and `rise`.
    """

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        return (
            f"Grad-CAM of {of}: the features of {self.of_layer}, weighed by their mean gradient; "
            "where it is positive, what the network sees there speaks for it, where it is "
            "negative, against it"
        )

    def explain(self, batch: Batch) -> Explained:
        """Return signed class activation maps (N, 1, h, w)."""
        return Explained(self.cam(batch), "bilinear")

"""Null map: the edges of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from engine.saliency import SaliencyMethod, laplacian_of_gaussian, register

if TYPE_CHECKING:
    from engine.networks.memory import Work
    from engine.saliency._explained import Batch, Explained


@register
class Edges(SaliencyMethod):
    """The Laplacian of the Gaussian-smoothed image (Marr & Hildreth 1980).

    Adebayo et al. (2018) compare maps to an edge detector: what a map shares with it, it need not
    have from the model.
    """

    work: ClassVar[Work] = "answers"

    @property
    def explains_a_class(self) -> bool:
        """See `SaliencyMethod.explains_a_class`; it explains nothing."""
        return False

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        return (
            "Laplacian of Gaussian of the image, which knows nothing of the model: where it is "
            "positive, the pixel is darker than what is around it"
        )

    def explain(self, batch: Batch) -> Explained:
        """Return the edges (N, C, H, W); the model is not asked."""
        import torch

        from engine.saliency._explained import Explained

        return Explained(torch.from_numpy(laplacian_of_gaussian(batch.x.cpu().numpy())))

"""Input times gradient: what each pixel adds to a linear network."""

from __future__ import annotations

from engine.saliency import SaliencyMethod, register
from engine.saliency._explained import Batch, Explained
from engine.saliency._gradients import gradient


@register
class InputXGradient(SaliencyMethod):
    """x * grad_x F, by pixel, with F the scalar that is explained.

    Shrikumar et al. (2016), "Not just a black box", section 2. Black pixels are zero whatever the
    network sees in them: to first order it is the effect of making the pixel black.
    """

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        return (
            f"pixel value times gradient of {of}: where it is positive, darkening the pixel "
            "lowers that, to first order"
        )

    def explain(self, batch: Batch) -> Explained:
        """Return signed products."""
        return Explained(batch.x * gradient(batch, batch.x))

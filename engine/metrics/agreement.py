"""Whether the map of an attacked image is that of the clean one: by rank correlation."""

from __future__ import annotations

from typing import ClassVar

from engine.metrics import Given, MapMetric, Measured, Need, Sign, register
from engine.metrics._given import constant, drawn
from engine.metrics._ranks import spearman


@register
class Agreement(MapMetric):
    """Spearman's correlation of the signed maps of an attacked image and of the clean one.

    Ghorbani, Abid & Zou (2019), "Interpretation of neural networks is fragile". Where the attack
    changed the answer, a map that stays the same does not explain the answer: so no direction.
    """

    sign: ClassVar[Sign] = "signed"
    says: ClassVar[str] = (
        "How alike the signed maps of the attacked and of the clean image are: the "
        "rank correlation of the two."
    )
    source: ClassVar[str] = "Ghorbani et al. (2019)"
    needs: ClassVar[tuple[Need, ...]] = ("clean",)

    def of(self, given: Given) -> Measured:
        """Return the correlation, in [-1, 1]; none where the clean map is constant."""
        assert given.clean is not None
        own, theirs = given.drawn(), drawn(given.clean)
        blank = constant(theirs)
        theirs[blank] = 0
        return spearman(own.reshape(len(own), -1), theirs.reshape(len(own), -1), "other_map")

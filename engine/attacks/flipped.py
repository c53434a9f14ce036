"""Control: a real attack's perturbation, mirrored."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from engine.attacks import Batch, register
from engine.attacks._controls import Control

_DIMENSIONS = {"horizontal": (3,), "vertical": (2,), "both": (2, 3)}


@register
class Flipped(Control):
    """x + a * m(x_adv - x) clipped to [0, 1], m a reflection of the perturbation.

    As in Elsayed et al. (2018), who turn it upside down: the perturbation keeps its values and its
    structure, strokes and textures included, and loses its relation to the image. As for
    `permuted`, a makes up in L2 for what is clipped; see `Control`.

    Attributes:
        like: configuration of the attack whose perturbation is mirrored.
        axis: "vertical" exchanges top and bottom, "horizontal" left and right, "both" turns by
            180 degrees.
    """

    axis: Literal["horizontal", "vertical", "both"] = "vertical"

    def direction(self, delta: Tensor, batch: Batch) -> Tensor:
        """Return the mirrored perturbations."""
        return delta.flip(_DIMENSIONS[self.axis])

"""SmoothGrad: the gradient, averaged over noisy copies of the image."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from engine.saliency import SaliencyMethod, register
from engine.saliency._explained import Batch, Explained
from engine.saliency._gradients import weighted_sum
from engine.saliency._noise import normal


@register
class SmoothGrad(SaliencyMethod):
    """Mean of grad_x F(x + noise) over `samples`, signed; noise N(0, sigma^2) for each pixel.

    Smilkov et al. (2017), "SmoothGrad: removing noise by adding noise". The noise of an image is
    drawn by its seed alone, on the CPU; noisy pixels may leave [0, 1], as in the paper.

    Attributes:
        samples: how many noisy copies.
        sigma: the standard deviation of the noise, in the unit of pixels, whose range is 1.
    """

    draws: ClassVar[bool] = True

    samples: int = Field(25, ge=1, le=1000)
    sigma: float = Field(0.15, gt=0, le=1)

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        return (
            f"mean gradient of {of} over {self.samples} noisy copies (SmoothGrad, σ = "
            f"{self.sigma:g}): where it is positive, brightening the pixel raises that"
        )

    def explain(self, batch: Batch) -> Explained:
        """Return signed means."""
        generators = batch.generators()

        def noisy(some: range) -> Tensor:
            noise = torch.stack([normal(batch, generators) for _ in some])
            return batch.x + self.sigma * noise

        return Explained(weighted_sum(batch, [1 / self.samples] * self.samples, noisy))

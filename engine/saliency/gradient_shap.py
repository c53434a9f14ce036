"""Gradient SHAP: gradients at random places between a baseline and noisy copies of the image."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from engine.saliency import SaliencyMethod, register
from engine.saliency._explained import Batch, Explained
from engine.saliency._gradients import gradient, parts
from engine.saliency._noise import normal


@register
class GradientShap(SaliencyMethod):
    """Mean over `samples` of (x' - b) * grad F(b + a (x' - b)), x' = x + noise, a uniform.

    Lundberg & Lee (2017), as their `GradientExplainer` has it, with a single baseline b; also
    Erion et al. (2021), "expected gradients". Where `sigma` is 0 its expectation is integrated
    gradients. Maps add up to F(x) - F(b) in expectation alone, and there up to the noise. What is
    drawn for an image is drawn by its seed alone, on the CPU.

    Attributes:
        samples: how many places.
        sigma: the standard deviation of the noise, in the unit of pixels, whose range is 1.
    """

    uses_baseline: ClassVar[bool] = True
    draws: ClassVar[bool] = True

    samples: int = Field(25, ge=1, le=1000)
    sigma: float = Field(0.1, ge=0, le=1)

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        return (
            f"share of the pixel in the change of {of} from the baseline to the image, estimated "
            f"from {self.samples} draws (gradient SHAP): where it is positive, the pixel raises "
            "that; shares add up to the change on average alone"
        )

    def explain(self, batch: Batch) -> Explained:
        """Return signed estimates."""
        assert batch.baseline is not None
        generators = batch.generators()
        total = torch.zeros_like(batch.x)
        for some in parts(batch, self.samples):
            drawn = [self._draw(batch, generators) for _ in some]
            ways = torch.stack([way for way, _ in drawn])
            places = torch.stack([place for _, place in drawn])
            points = batch.baseline + places * ways
            slopes = gradient(batch, points.flatten(0, 1)).view_as(points)
            for way, slope in zip(ways, slopes, strict=True):
                total.addcmul_(way, slope, value=1 / self.samples)
        return Explained(total)

    def _draw(self, batch: Batch, generators: list[torch.Generator]) -> tuple[Tensor, Tensor]:
        """Return the ways from the baseline (N, C, H, W), and places on them (N, 1, 1, 1)."""
        assert batch.baseline is not None
        places = torch.stack([torch.rand(1, 1, 1, generator=own) for own in generators])
        way = batch.x - batch.baseline
        if self.sigma:
            way = way + self.sigma * normal(batch, generators)
        return way, places.to(way.device)

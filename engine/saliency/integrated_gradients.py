"""Integrated gradients: the gradient, averaged on the way from a baseline to the image."""

from __future__ import annotations

from functools import cache
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from engine.saliency import DELTA, SaliencyMethod, register
from engine.saliency._completeness import delta
from engine.saliency._explained import Batch, Explained
from engine.saliency._gradients import weighted_sum


@register
class IntegratedGradients(SaliencyMethod):
    """(x - b) * integral over a in [0, 1] of grad F(b + a (x - b)), by pixel.

    Sundararajan, Taly & Yan (2017), "Axiomatic attribution for deep networks", equation 1. The
    integral is a Gauss-Legendre sum of `steps` gradients. A map should add up to F(x) - F(b); an
    image whose map is off by more than `engine.saliency.DELTA` of that gets twice as many steps,
    and so on up to `most_steps`. More steps need not help: the map that is off least is kept. The
    facts `delta` and `steps` are those of the map that is kept.

    Attributes:
        steps: gradients for each image at first.
        most_steps: at most so many at last.

    Raises:
        UsageError: `most_steps` is below `steps`.
    """

    uses_baseline: ClassVar[bool] = True
    complete: ClassVar[bool] = True

    steps: int = Field(50, ge=2, le=1000)
    most_steps: int = Field(300, ge=2, le=1000)

    @model_validator(mode="after")
    def _holds_together(self) -> IntegratedGradients:
        if self.most_steps < self.steps:
            raise ValueError(
                f"most_steps = {self.most_steps} is below steps = {self.steps}; raise it"
            )
        return self

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        return (
            f"share of the pixel in the change of {of} from the baseline to the image (integrated "
            "gradients): where it is positive, the pixel raises that"
        )

    def explain(self, batch: Batch) -> Explained:
        """Return signed shares."""
        assert batch.baseline is not None
        with torch.no_grad():
            own, other = (
                batch.scalar(x.clone(), batch.classes, batch.against)
                for x in (batch.x, batch.baseline)
            )
        maps = _integrated(batch, self.steps)
        off = delta(maps, own, other)
        steps = torch.full_like(off, self.steps)
        more = self.steps
        while more < self.most_steps and len(wanting := (~(off <= DELTA)).nonzero()[:, 0]):
            more = min(2 * more, self.most_steps)
            finer = _integrated(batch.of(wanting), more)
            now = delta(finer, own[wanting], other[wanting])
            gains = now < off[wanting]
            better = wanting[gains]
            maps[better], off[better], steps[better] = finer[gains], now[gains], more
        return Explained(maps, facts={"delta": off, "steps": steps})


def _integrated(batch: Batch, steps: int) -> Tensor:
    """Return the maps (N, C, H, W) with so many steps."""
    assert batch.baseline is not None
    start, way = batch.baseline, batch.x - batch.baseline
    places, weights = _quadrature(steps)

    def points(some: range) -> Tensor:
        return torch.stack([start + places[step] * way for step in some])

    return way * weighted_sum(batch, weights, points)


@cache
def _quadrature(steps: int) -> tuple[list[float], list[float]]:
    """Return the places and weights of a Gauss-Legendre sum over [0, 1]."""
    places, weights = np.polynomial.legendre.leggauss(steps)
    return ((places + 1) / 2).tolist(), (weights / 2).tolist()

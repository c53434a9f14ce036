"""The smallest disturbance that changes the model's mind, image by image."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from engine.attacks import Batch, GradientAttack, Trace, clip, only, register
from engine.attacks._balls import Norm, length, project, steepest
from engine.attacks._losses import choices, difference, margin
from engine.attacks._schedules import half_cosine
from engine.networks.inference import LOGIT, input_gradient, looked_at

_RADIUS = (0.1, 0.001)
"""By how much the radius changes in the first and the last step, as a share of it."""
_STEP: dict[Norm, tuple[float, float]] = {"linf": (1.0, 0.01), "l2": (3.0, 0.01)}
"""Length of the first and the last step, in radii."""
_INSIDE = 0.25
"""Where a further run starts, as a share of the smallest norm so far."""
_BISECTIONS = 12
_CLEARLY = 1e-5
"""The least margin of an adversarial image, as a share of the largest logit: rounding does less."""


@register
class MinimumNorm(GradientAttack):
    """min ||d|| over the d with f(x + d) != label and x + d in [0, 1].

    Untargeted, after the fast minimum-norm attack of Pintor et al. (2021): x + d climbs the logit
    margin, which nothing masks, on a ball whose radius shrinks while the image is adversarial and
    grows while it is not; before the first success it is where the margin, were it linear, would
    reach zero. Here steps are lengths in radii, so that no size has to be known. The first run is
    followed by runs that begin well inside the smallest norm so far, since the first one's leap
    may have passed a nearer boundary, and that climb the logit of the second, third and further
    choice of the model (of two classes, the margin again): the nearest boundary need not be that of
    the steepest margin. Every run ends with
    bisection on the segment from the image to the smallest adversarial one. On a linear model that
    is the optimum, also where [0, 1] binds.

    An image that the model gets wrong undisturbed comes back as it is, norm 0; so does an image
    for which nothing is found: success is for the caller to measure. One run gives the curve of
    the share of images with an adversarial example against the allowed disturbance. It bounds the
    share from below, since a smaller norm may exist. Nothing is random.

    Attributes:
        norm: "linf" or "l2".
        steps: gradient steps of each run.
        restarts: runs.
        label: what the model has to leave: the true label, or its own prediction of the image.
    """

    version: ClassVar[int] = 2

    norm: Norm = "linf"
    steps: int = Field(100, ge=1)
    restarts: int = Field(3, ge=1)
    label: Literal["true", "predicted"] = "true"

    def run(self, model: nn.Module, batch: Batch, trace: Trace) -> Tensor:
        """Return the examples; see `Attack.run`. The target is ignored: the attack has none."""
        x = batch.x
        trace(x)
        with torch.no_grad():
            logits = looked_at(model(x), LOGIT)
        label = batch.y if self.label == "true" else logits.argmax(1)
        rows = (logits.argmax(1) == label).nonzero()[:, 0]
        if not len(rows):
            return x
        model, start, label = only(model, rows), x[rows], label[rows]
        goals = choices(logits[rows], label)
        best, smallest = start, torch.full_like(start[:, :1, :1, :1], torch.inf)

        def trace_all(iterate: Tensor) -> None:
            trace(x.index_copy(0, rows, iterate))

        for run in range(self.restarts):
            goal = goals[:, run] if 0 < run < logits.shape[1] - 1 else None
            best, smallest = self._search(model, start, label, goal, best, smallest, trace_all)
            best = self._bisect(model, start, label, best)
            smallest = torch.where(smallest.isfinite(), length(best - start, self.norm), torch.inf)
            trace_all(best)
        return x.index_copy(0, rows, best)

    def _search(
        self,
        model: nn.Module,
        x: Tensor,
        label: Tensor,
        goal: Tensor | None,
        best: Tensor,
        smallest: Tensor,
        trace: Trace,
    ) -> tuple[Tensor, Tensor]:
        """Return the smaller of `best` and what one run finds, and their norms (N, 1, 1, 1).

        Args:
            model: as in `run`.
            x: images that the model gets right (N, C, H, W).
            label: what it has to leave (N,).
            goal: the classes to climb (N,); None means whichever has the largest logit.
            best: the best so far, x where nothing was found.
            smallest: their norms, infinity where nothing was found.
            trace: collects the iterates.
        """
        highest, lowest = (clip(model, x + far) for far in (torch.inf, -torch.inf))
        reach = length(torch.maximum(highest - x, x - lowest), self.norm)
        z, found = x, smallest.isfinite()
        radius = torch.where(found, _INSIDE * smallest, 0)
        for step in range(self.steps):
            z = z.detach().requires_grad_(True)
            logits = model(z)
            climbed = margin(logits, label) if goal is None else difference(logits, goal, label)
            gradient = input_gradient(climbed.sum(), z)
            z = z.detach()
            distance = length(z - x, self.norm)
            adversarial = _adversarial(logits.detach(), label)
            better = adversarial & (distance < smallest)
            best, smallest = torch.where(better, z, best), torch.where(better, distance, smallest)
            found = found | adversarial
            change = half_cosine(*_RADIUS, step / self.steps)
            linear = climbed.detach().abs()[:, None, None, None] / self._slope(gradient)
            grown = radius * (1 + change)
            grown = torch.where(found, grown, torch.maximum(grown, distance + linear))
            shrunk = torch.minimum(radius, smallest) * (1 - change)
            radius = torch.where(adversarial, shrunk, grown).minimum(reach).minimum(smallest)
            stride = half_cosine(*_STEP[self.norm], step / self.steps) * radius
            moved = project(z + stride * steepest(gradient, self.norm), x, radius, self.norm)
            z = clip(model, moved)
            trace(z)
        return best, smallest

    def _slope(self, gradient: Tensor) -> Tensor:
        """Return the rise per step of norm 1, the dual norm (N, 1, 1, 1)."""
        order = 1 if self.norm == "linf" else 2
        slope: Tensor = torch.linalg.vector_norm(gradient.flatten(1), order, dim=1)
        return slope[:, None, None, None].clamp_min(torch.finfo(gradient.dtype).tiny)

    def _bisect(self, model: nn.Module, x: Tensor, label: Tensor, best: Tensor) -> Tensor:
        """Return the adversarial images nearest to x that bisection towards `best` finds."""
        far = best
        low, high = (torch.full_like(x[:, :1, :1, :1], end) for end in (0.0, 1.0))
        with torch.no_grad():
            for _ in range(_BISECTIONS):
                middle = (low + high) / 2
                z = clip(model, x + middle * (far - x))
                adversarial = _adversarial(model(z), label)
                best = torch.where(adversarial, z, best)
                low = torch.where(adversarial, low, middle)
                high = torch.where(adversarial, middle, high)
        return best


def _adversarial(logits: Tensor, label: Tensor) -> Tensor:
    """Return which images are clearly not `label`, (N, 1, 1, 1)."""
    least = _CLEARLY * logits.abs().amax(1)
    return (margin(logits, label) > least)[:, None, None, None]

"""Gradients of the scalar that is explained, at many points for each image of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from engine.networks.inference import input_gradient
from engine.saliency._explained import Batch


def gradient(batch: Batch, x: Tensor) -> Tensor:
    """Return the gradient of the scalar at points x (M * N, C, H, W), of the same shape.

    Args:
        batch: N images.
        x: M points for each image, all images' first point first.

    Raises:
        NotFiniteError: it is NaN or infinite somewhere.
    """
    times = len(x) // len(batch)
    classes = batch.classes.repeat(times)
    against = None if batch.against is None else batch.against.repeat(times)
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        return input_gradient(batch.scalar(x, classes, against).sum(), x)


def weighted_sum(batch: Batch, weights: list[float], points: Callable[[range], Tensor]) -> Tensor:
    """Return the weighted sum (N, C, H, W) of gradients at M points for each image.

    The network is given `batch.size` points at a time, at most.

    Args:
        batch: N images.
        weights: M of them.
        points: returns the points (m, N, C, H, W) of a range of their numbers; asked once for
            each, in order.
    """
    total = torch.zeros_like(batch.x)
    for some in parts(batch, len(weights)):
        asked = points(some)
        found = gradient(batch, asked.flatten(0, 1)).view_as(asked)
        for weight, each in zip(weights[some.start : some.stop], found, strict=True):
            total.add_(each, alpha=weight)
    return total


def parts(batch: Batch, count: int) -> Iterator[range]:
    """Yield the numbers of `count` points for each image, as many as the network is given."""
    size = max(1, batch.size // len(batch))
    for start in range(0, count, size):
        yield range(start, min(count, start + size))

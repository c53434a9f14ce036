"""Balls around images in the norms that attacks are measured in."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Generator, Tensor

Norm: TypeAlias = Literal["linf", "l2"]


def length(delta: Tensor, norm: Norm) -> Tensor:
    """Return the norm of each perturbation (N, C, H, W), shaped (N, 1, 1, 1)."""
    order = torch.inf if norm == "linf" else 2
    found: Tensor = torch.linalg.vector_norm(delta.flatten(1), order, dim=1)
    return found[:, None, None, None]


def steepest(gradient: Tensor, norm: Norm) -> Tensor:
    """Return the perturbation of norm 1 that rises fastest: sign(g), or g / ||g||_2.

    Where an image's gradient is exactly zero so is the perturbation.
    """
    if norm == "linf":
        return gradient.sign()
    # Scaled by its largest pixel first: squares of a masked model's gradients underflow.
    tiny = torch.finfo(gradient.dtype).tiny
    scaled = gradient / gradient.abs().amax((1, 2, 3), keepdim=True).clamp_min(tiny)
    return scaled / length(scaled, norm).clamp_min(tiny)


def project(x_adv: Tensor, x: Tensor, radius: Tensor | float, norm: Norm) -> Tensor:
    """Return the points nearest to `x_adv` within `radius` of `x`.

    Clipping to bounds that hold x afterwards moves every pixel towards x, so that the ball is not
    left again.

    Args:
        x_adv: the points, images (N, C, H, W).
        x: the centres, of the same shape.
        radius: one for all, or (N, 1, 1, 1).
        norm: the norm of the ball.
    """
    if norm == "linf":
        return torch.clamp(x_adv, x - radius, x + radius)
    delta = x_adv - x
    # At least the radius, and not zero where both are.
    found = length(delta, norm).clamp_min(radius).clamp_min(torch.finfo(x.dtype).tiny)
    return x + delta * (radius / found)


def uniform(like: Tensor, generators: list[Generator], norm: Norm) -> Tensor:
    """Return points drawn uniformly from the unit ball, one per generator, for images `like`.

    They are drawn on the CPU, so that a device draws what every other does.
    """
    shape = like.shape[1:]
    if norm == "linf":
        drawn = [2 * torch.rand(shape, generator=generator) - 1 for generator in generators]
    else:
        drawn = [_within_sphere(shape, generator) for generator in generators]
    return torch.stack(drawn).to(like)


def _within_sphere(shape: torch.Size, generator: Generator) -> Tensor:
    direction: Tensor = torch.randn(shape, generator=generator)
    radius: Tensor = torch.rand((), generator=generator) ** (1 / direction.numel())
    drawn: Tensor = radius * direction / direction.norm()
    return drawn

"""Noise of the shape of images, each image's from its own generator."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from engine.saliency._explained import Batch


def normal(batch: Batch, generators: list[Generator]) -> Tensor:
    """Return standard normal noise (N, C, H, W), drawn on the CPU, on the batch's device."""
    shape = batch.x.shape[1:]
    return torch.stack([torch.randn(shape, generator=own) for own in generators]).to(batch.x.device)

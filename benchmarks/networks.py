"""The networks that benchmarks measure."""

from __future__ import annotations

from torch import nn

from engine import models

BATCH = {"paper_cnn": 256, "small_cnn": 64}


def build(name: str, shape: tuple[int, int, int], classes: int, *, seed: int) -> nn.Module:
    """Return a fresh network of the architecture `name`, in training mode."""
    return models.create(name).build(shape, classes, seed=seed).train()

"""The networks that benchmarks measure."""

from __future__ import annotations

import torch
from torch import nn

from engine import models

BATCH = {"paper_cnn": 256, "small_cnn": 64}


def build(name: str, shape: tuple[int, int, int], classes: int, *, seed: int) -> nn.Module:
    """Return a fresh network of the architecture `name`, in training mode."""
    if name in models.registry.names():
        return models.create(name).build(shape, classes, seed=seed).train()
    return _paper_cnn(shape, classes, seed).train()


def _paper_cnn(shape: tuple[int, int, int], classes: int, seed: int) -> nn.Module:
    """The layout of Ross & Doshi-Velez (2018), while it is not among the architectures."""
    network = models.create("small_cnn", channels=(32, 64), hidden=1024).build(
        shape, classes, seed=seed
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network.conv1 = nn.Conv2d(shape[0], 32, 5, padding=2)
        network.conv2 = nn.Conv2d(32, 64, 5, padding=2)
    return network

"""The paper's network scaled down for laptops and the built-in digits."""

from __future__ import annotations

from collections import OrderedDict

import torch
from pydantic import Field
from torch import nn

from engine.models import Architecture, register


@register
class SmallCNN(Architecture):
    """Two 3x3 convolutions with BatchNorm, ReLU and 2x2 max-pooling, one hidden layer, dropout.

    The layout of Ross & Doshi-Velez (2018) (5x5x32, 5x5x64, FC 1024) with smaller
    kernels and fewer channels.
    """

    channels: tuple[int, int] = (16, 32)
    hidden: int = Field(128, ge=1)
    dropout: float = Field(0.5, ge=0, lt=1)

    def build(self, shape: tuple[int, int, int], classes: int, *, seed: int) -> nn.Module:
        """Return a fresh network for images of `shape`; see `Architecture.build`."""
        depth, height, width = shape
        first, second = self.channels
        flat = second * (height // 4) * (width // 4)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return nn.Sequential(
                OrderedDict(
                    conv1=nn.Conv2d(depth, first, 3, padding=1),
                    norm1=nn.BatchNorm2d(first),
                    relu1=nn.ReLU(),
                    pool1=nn.MaxPool2d(2),
                    conv2=nn.Conv2d(first, second, 3, padding=1),
                    norm2=nn.BatchNorm2d(second),
                    relu2=nn.ReLU(),
                    pool2=nn.MaxPool2d(2),
                    flatten=nn.Flatten(),
                    hidden=nn.Linear(flat, self.hidden),
                    norm3=nn.BatchNorm1d(self.hidden),
                    relu3=nn.ReLU(),
                    dropout=nn.Dropout(self.dropout),
                    logits=nn.Linear(self.hidden, classes),
                )
            )

"""The layout that the paper's network and its small version share."""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated, ClassVar

from pydantic import Field
from torch import nn

from engine.errors import UsageError
from engine.models import Architecture, CamLayer

Width = Annotated[int, Field(ge=1)]


class TwoConvolutions(Architecture):
    """Two blocks of convolution, BatchNorm, ReLU, 2x2 max-pooling; one hidden layer; dropout.

    Attributes:
        channels: output channels of the two convolutions.
        hidden: width of the hidden layer.
        dropout: share of the hidden layer that is dropped in training.
        batch_norm: with the three normalisation layers; without them every other layer keeps its
            name and its first weights.
    """

    kernel: ClassVar[int]
    """Side of the convolutions' kernels in pixels, odd; their padding keeps the size."""

    channels: tuple[Width, Width]
    hidden: Width
    dropout: float = Field(0.5, ge=0, lt=1)
    batch_norm: bool = True

    @property
    def cam_layer(self) -> CamLayer:
        """The rectified maps of the last convolution.

        They are what the dense layers see, as in Selvaraju et al. (2017), but before pooling, which
        keeps twice the resolution: 14x14 of 28x28.
        """
        return CamLayer(layer="relu2")

    def network(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        """Return a fresh network; see `Architecture.network`.

        Raises:
            UsageError: the images are smaller than 4x4, so that pooling leaves nothing.
        """
        depth, height, width = shape
        if min(height, width) < 4:
            raise UsageError(
                f"model {self.name!r} pools twice and needs images of at least 4x4 pixels, "
                f"not {height}x{width}"
            )
        first, second = self.channels
        flat = second * (height // 4) * (width // 4)
        same = self.kernel // 2
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv1=nn.Conv2d(depth, first, self.kernel, padding=same),
            norm1=nn.BatchNorm2d(first),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(first, second, self.kernel, padding=same),
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
        if not self.batch_norm:
            for name in ("norm1", "norm2", "norm3"):
                del layers[name]
        return nn.Sequential(layers)

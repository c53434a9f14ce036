"""The paper's network scaled down for laptops and the built-in digits."""

from __future__ import annotations

from typing import ClassVar

from engine.models import register
from engine.models._two_convolutions import TwoConvolutions, Width


@register
class SmallCNN(TwoConvolutions):
    """Two 3x3 convolutions with BatchNorm, ReLU and 2x2 max-pooling, one hidden layer, dropout.

    The layout of `paper_cnn` with smaller kernels and fewer channels.
    """

    kernel: ClassVar[int] = 3

    channels: tuple[Width, Width] = (16, 32)
    hidden: Width = 128

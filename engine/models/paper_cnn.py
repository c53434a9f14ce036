"""The network of Ross & Doshi-Velez (2018)."""

from __future__ import annotations

from typing import ClassVar

from engine.models import register
from engine.models._two_convolutions import TwoConvolutions, Width


@register
class PaperCNN(TwoConvolutions):
    """Conv 5x5x32, BatchNorm, ReLU, pool; conv 5x5x64, the same; FC 1024, BatchNorm, ReLU, dropout.

    As in the authors' code, for 28x28 and 32x32; their BatchNorm decay of .9 is PyTorch's
    momentum of .1. Initial weights and BatchNorm are PyTorch's; theirs, of TensorFlow's slim, have
    Xavier weights, no scale, and 1e-3 where PyTorch adds 1e-5 to the variance. For their SVHN
    results add `preprocessing: [grey, gcn]` and
    `input_layers: [{name: lcn, window: 7, sigma: 3}]`, for notMNIST `preprocessing: [shift]`.
    """

    kernel: ClassVar[int] = 5

    channels: tuple[Width, Width] = (32, 64)
    hidden: Width = 1024

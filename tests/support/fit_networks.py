"""Networks of kinds that saliency methods fail on, seeded, for images (N, 3, 8, 8) of four classes.

What each method says of each of them is the table of tests/engine/saliency/test_verdicts.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from lab_networks import Normalised, Plain, Tied, Transformer, Tutorial
from torch import nn
from torch.nn import functional as F

from engine.networks.stochastic import Expectation


class Convolutional(Plain):
    """Two convolutions, every layer a module that is called once."""

    def __init__(self) -> None:
        super().__init__()
        self.n = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(96, 4),
        )  # fmt: skip


class PreActivation(nn.Module):
    """What its ReLUs get goes past them too, as in residual networks with pre-activation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.relu1, self.relu2, self.fc = nn.ReLU(), nn.ReLU(), nn.Linear(16, 4)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.conv(self.relu1(x))
        return self.fc(F.adaptive_avg_pool2d(self.relu2(x), 2).flatten(1))


class Smooth(nn.Module):
    """Its activations are no rectifiers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gelu, self.fc = nn.Conv2d(3, 4, 3), nn.GELU(), nn.Linear(16, 4)

    def forward(self, x):
        return self.fc(F.adaptive_avg_pool2d(self.gelu(self.conv(x)), 2).flatten(1))


class Noisy(Convolutional):
    """Draws at random when it answers."""

    def forward(self, x):
        return super().forward(x + 0.1 * torch.randn_like(x))


@dataclass(frozen=True)
class Case:
    """A network, and the layer that class activation maps of it are made of.

    Attributes:
        words: what it is, for readers.
        make: returns it, with weights from torch's generator.
        layer: parameters of Grad-CAM.
    """

    words: str
    make: Callable[[], nn.Module]
    layer: dict[str, object]

    def network(self) -> nn.Module:
        """Return the network in evaluation mode, the same each time."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            return self.make().eval()


CASES = {
    "plain": Case("every layer a module", Convolutional, {"layer": "n.5"}),
    "residual": Case("one in-place ReLU used throughout", Normalised, {"layer": "b1"}),
    "tutorial": Case("functional ReLUs and pooling", Tutorial, {"layer": "conv2"}),
    "tied": Case("tied convolutions", Tied, {"layer": "c"}),
    "preactivation": Case("paths past the ReLUs", PreActivation, {"layer": "conv"}),
    "vit": Case(
        "transformer",
        Transformer,
        {"layer": "enc.layers.0.norm1", "reshape": "tokens", "skip": 1},
    ),
    "smooth": Case("GELU", Smooth, {"layer": "gelu"}),
    "averaged": Case(
        "mean over 3 draws", lambda: Expectation(Noisy(), 3), {"layer": "network.n.5"}
    ),
}
"""By name: the four kinds that were measured to get wrong maps or none, and others beside them."""

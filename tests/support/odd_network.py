"""A network that fails on request: in training, or wherever a module of the engine calls it."""

from __future__ import annotations

import os
import sys

from torch import Tensor, nn

FAULT = "ODD_NETWORK_FAULT"
"""Environment variable: the module during whose work the network fails, "" for none."""


class OddNetwork(nn.Module):
    """One linear layer over all pixels of an image."""

    def __init__(self, pixels: int, classes: int) -> None:
        super().__init__()
        self.layer = nn.Linear(pixels, classes)

    def forward(self, x: Tensor) -> Tensor:
        fault = os.environ.get(FAULT, "")
        # Whoever only asks it is answered: a trial of the network, and other models' ladders.
        asked = not (self.training or x.requires_grad)
        if fault and not asked and _under_way(fault):
            raise RuntimeError(f"odd in {fault}")
        return self.layer(x.flatten(1))


def _under_way(module: str) -> bool:
    """Say whether this is called by `module`, directly or not."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == module:
            return True
        frame = frame.f_back
    return False

"""Maps to be measured, with everything that any metric may need."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from engine import saliency
from engine.metrics import Given
from engine.saliency import Target

IMAGES, SIDE = 6, 12


class Linear(nn.Module):
    """Logits W x + b, whose answers a test computes in numpy."""

    def __init__(self, classes: int = 4, seed: int = 0) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        self.logits = nn.Linear(SIDE * SIDE, classes)
        with torch.no_grad():
            drawn = rng.normal(size=self.logits.weight.shape)
            self.logits.weight.copy_(torch.from_numpy(drawn).float() / 4)

    def forward(self, x):
        return self.logits(x.flatten(1))

    def answers(self, images: np.ndarray) -> np.ndarray:
        """Return the logits (N, K) in float64, without torch."""
        weight, bias = (part.detach().double().numpy() for part in self.logits.parameters())
        return images.reshape(len(images), -1).astype(np.float64) @ weight.T + bias


class Curved(Linear):
    """A linear network whose logits are squared, so that its gradient depends on the image."""

    def forward(self, x):
        return super().forward(x) ** 2


def given(network: nn.Module | None = None, **changes) -> Given:
    """Return maps of random images by the gradient of log p, of `Curved` or a network."""
    rng = np.random.default_rng(1)
    model = Curved() if network is None else network
    images = rng.random((IMAGES, 1, SIDE, SIDE), dtype=np.float32)
    labels = np.arange(IMAGES, dtype=np.int64) % 4
    method = saliency.create("input_gradient", of="log_probability")

    def explain(net, changed, places):
        return method.attribute(net, changed, Target(labels[places])).maps

    maps = explain(model, images, np.arange(IMAGES))
    values = {
        "maps": maps,
        "images": images,
        "seeds": np.arange(10, 10 + IMAGES),
        "network": model,
        "target": Target(labels),
        "baseline": np.full_like(images, 0.5),
        "explain": explain,
        "clean": maps[::-1].copy(),
    }
    return Given(**(values | changes))

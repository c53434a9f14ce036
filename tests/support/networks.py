"""Small networks for tests: quick, and different in what may trip an attack."""

from torch import nn

from engine import models


def small_cnn(seed: int = 0) -> nn.Module:
    return models.create("small_cnn", channels=(4, 4), hidden=8).build((1, 12, 12), 4, seed=seed)


class Scaled(nn.Module):
    """A network whose logits are multiplied: what distillation does to a network at T = 1."""

    def __init__(self, inner: nn.Module, factor: float) -> None:
        super().__init__()
        self.inner = inner
        self.factor = factor

    def forward(self, x):
        return self.inner(x) * self.factor

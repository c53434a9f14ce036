"""Small networks for tests: quick, and different in what may trip an attack."""

import torch
from torch import nn
from torch.nn import functional as F

from engine import models


def small_cnn(seed: int = 0, classes: int = 4) -> nn.Module:
    architecture = models.create("small_cnn", channels=(4, 4), hidden=8)
    return architecture.build((1, 12, 12), classes, seed=seed)


def warmed(network: nn.Module, shape: tuple[int, int, int]) -> nn.Module:
    """Give every BatchNorm statistics and weights of its own; return the network for evaluation."""
    generator = torch.Generator().manual_seed(7)
    network.train()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine:
                module.weight.copy_(1 + torch.rand(module.weight.shape, generator=generator))
                module.bias.copy_(torch.randn(module.bias.shape, generator=generator) / 4)
        for _ in range(5):
            network(torch.rand(16, *shape, generator=generator))
    return network.eval()


class Counted(nn.Module):
    """Counts the images that go through a network."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.images = 0

    def forward(self, x):
        self.images += len(x)
        return self.inner(x)


class Scaled(nn.Module):
    """A network whose logits are multiplied: what distillation does to a network at T = 1."""

    def __init__(self, inner: nn.Module, factor: float) -> None:
        super().__init__()
        self.inner = inner
        self.factor = factor

    def forward(self, x):
        return self.inner(x) * self.factor


class Own(nn.Module):
    """Somebody's network: functional layers, a sum, and layers in lists."""

    def __init__(self, channels: int = 1, classes: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.blocks = nn.ModuleList(nn.Conv2d(6, 6, 3, padding=1) for _ in range(2))
        self.norms = nn.ModuleList(nn.BatchNorm2d(6, affine=False) for _ in range(2))
        self.logits = nn.Linear(6, classes)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        for block, norm in zip(self.blocks, self.norms, strict=True):
            x = x + torch.relu(norm(block(x)))
        return self.logits(x.mean((2, 3)))


class Branching(Own):
    """Its way depends on the data, so that no symbolic trace can be made."""

    def forward(self, x):
        return super().forward(x if x.mean() > 0.5 else 1 - x)

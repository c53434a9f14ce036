"""Networks of one pixel, whose answers follow from its level: where rounding changes what."""

import torch
from torch import Tensor, nn

SOURCE = 100
"""The level of the images, of 255."""


class Above(nn.Module):
    """Class 1 where the mean pixel lies above a level, by two or more classes."""

    def __init__(self, level: float, classes: int = 2) -> None:
        super().__init__()
        self.level = level
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        rises = 255 * x.mean((1, 2, 3)) - self.level
        others = [rises - 50 * number for number in range(self.classes - 1)]
        return torch.stack([torch.zeros_like(rises), *others], 1)


def images(count: int = 1, size: int = 1) -> tuple[Tensor, Tensor]:
    """Return images of the source level and their labels, 0."""
    return torch.full((count, 1, size, size), SOURCE / 255), torch.zeros(count, dtype=torch.int64)


def levels(x: Tensor) -> list[float]:
    """Return the level of each image's first pixel."""
    return [round(level, 3) for level in (255 * x[:, 0, 0, 0]).tolist()]

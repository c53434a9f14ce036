"""The images to attack, with what an attack is told of each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.attacks._targets import next_class

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True)
class Batch:
    """Images to attack; the first axis of every tensor is that of the images.

    Attributes:
        x: where the attack starts, float32 (N, C, H, W): pixels in [0, 1], or model inputs where
            the attack works behind the network's preprocessing.
        y: true labels, int64 (N,).
        target: classes to aim at, int64 (N,); None leaves the choice to the attack.
        seeds: one seed per image, int64 (N,), on the CPU, where all that is random is drawn.
    """

    x: Tensor
    y: Tensor
    target: Tensor | None
    seeds: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def rows(self, rows: Tensor) -> Batch:
        """Return some of the images: those at the indices (M,), or where a mask (N,) is true."""
        return Batch(
            self.x[rows],
            self.y[rows],
            None if self.target is None else self.target[rows],
            self.seeds[rows.cpu()],
        )

    def aim(self, classes: int) -> Tensor:
        """Return the classes to aim at, int64 (N,): the target, or else (y + 1) mod K."""
        return next_class(self.y, classes) if self.target is None else self.target

    def generators(self) -> list[Generator]:
        """Return a generator on the CPU per image, started by the image's seed."""
        import torch

        return [torch.Generator().manual_seed(seed) for seed in self.seeds.tolist()]

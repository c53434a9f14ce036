"""RISE of Petsiuk, Das & Saenko (2018), signed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from engine import seeds
from engine.saliency import SaliencyMethod, register
from engine.saliency._explained import Explained

if TYPE_CHECKING:
    from engine.networks.memory import Work
    from engine.saliency._explained import Batch


@register
class Rise(SaliencyMethod):
    """E[F | the pixel is kept] - E[F | the pixel is not kept], over random masks.

    Petsiuk, Das & Saenko (2018) draw E[F | kept], equation 4, which is F's mean nearly everywhere;
    the difference has a sign, and is zero for a pixel that does not matter. A mask is a random
    grid, drawn out and shifted as in their section 3.2; a value m of it keeps m of the pixel and
    takes the rest from the baseline, or, read as a probability, keeps the pixel in m of all cases.
    The difference is then the covariance of F and mask over p (1 - p), p the mask's mean there.

    It asks a network for answers alone: where gradients are masked, as by distillation, its maps
    are those of what the network does. They are estimates: with twice the masks, the noise falls by
    a factor of 1.4.

    Attributes:
        masks: how many random masks each image has, which are its own.
        grid: cells along a side of the image; in each a pixel is kept or not.
        p: the share of cells that are kept.
    """

    uses_baseline: ClassVar[bool] = True
    draws: ClassVar[bool] = True
    work: ClassVar[Work] = "answers"

    masks: int = Field(1000, ge=2, le=1_000_000)
    grid: int = Field(7, ge=2, le=1000)
    p: float = Field(0.5, gt=0, lt=1)

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        return (
            f"RISE: the mean of {of} where the pixel is kept minus that where it is replaced by "
            f"the baseline, over {self.masks} random masks; where it is positive, what is there "
            "speaks for it, where it is negative, against it"
        )

    def explain(self, batch: Batch) -> Explained:
        """Return signed maps (N, 1, H, W)."""
        with torch.no_grad():
            return Explained(torch.stack([self._one(one) for one in batch.ones()]))

    def _one(self, one: Batch) -> Tensor:
        drawn = Masks.draw(self, one.seeds[0], one.x.device)
        assert one.baseline is not None
        size = (one.x.shape[2], one.x.shape[3])
        values = []
        for masks in drawn.parts(size, one.size):
            asked = torch.lerp(one.baseline, one.x, masks)
            against = None if one.against is None else one.against.expand(len(masks))
            values.append(one.scalar(asked, one.classes.expand(len(masks)), against))
        value = torch.cat(values).double()
        off = (value - value.mean()).float()
        # Masks are made twice and not kept: they have the memory of as many images.
        sums = torch.zeros(2, *size, device=one.x.device)
        parts = torch.split(off, one.size)
        for masks, part in zip(drawn.parts(size, one.size), parts, strict=True):
            sums[0] += torch.tensordot(part, masks[:, 0], 1)
            sums[1] += masks[:, 0].sum(0)
        covariance, kept = sums / self.masks
        varies = kept * (1 - kept)
        return torch.where(varies > 0, covariance / varies, 0)[None]


@dataclass(frozen=True)
class Masks:
    """The random masks of one image.

    Attributes:
        cells: 0 or 1, (M, grid + 1, grid + 1).
        shift: by how much of a cell each is shifted, down and to the right, in [0, 1), (M, 2).
    """

    cells: Tensor
    shift: Tensor

    @classmethod
    def draw(cls, method: Rise, seed: int, device: torch.device) -> Masks:
        """Return the masks that `seed` gives, drawn on the CPU."""
        generator = torch.Generator().manual_seed(seeds.derive(seed, "rise"))
        points = method.grid + 1
        cells = torch.rand(method.masks, points, points, generator=generator) < method.p
        shift = torch.rand(method.masks, 2, generator=generator)
        return cls(cells.float().to(device), shift.to(device))

    def parts(self, size: tuple[int, int], most: int) -> Iterator[Tensor]:
        """Yield the masks (m, 1, H, W) in [0, 1], at most so many at a time."""
        pairs = zip(torch.split(self.cells, most), torch.split(self.shift, most), strict=True)
        for cells, shift in pairs:
            down, across = (
                _bilinear(side, cells.shape[-1], of) for side, of in zip(size, shift.T, strict=True)
            )
            yield (down @ cells @ across.mT)[:, None].clamp(0, 1)


def _bilinear(side: int, points: int, shift: Tensor) -> Tensor:
    """Return the weights (M, side, points) by which pixels lie between the points of a grid.

    A cell is side / (points - 1) pixels wide, its point in its middle, as in bilinear resizing
    without `align_corners`; pixels beyond the outer points have their values.

    Args:
        side: pixels.
        points: of the grid; one more than fits, as room for the shift.
        shift: in cells, (M,).
    """
    cell = side / (points - 1)
    pixels = (torch.arange(side, device=shift.device) + 0.5) / cell - 0.5
    at = (pixels + shift[:, None]).clamp(0, points - 1)
    away = (at[..., None] - torch.arange(points, device=shift.device)).abs()
    return (1 - away).clamp_min(0)

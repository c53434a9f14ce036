"""Null map: noise as fine and as strong as a method's map."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from engine import seeds
from engine.saliency import register
from engine.saliency._explained import Explained
from engine.saliency._nulls import Null

if TYPE_CHECKING:
    from torch import Tensor

    from engine.saliency._explained import Batch


@register
class SameSpectrum(Null):
    """The map of `of` with every phase of its Fourier transform shifted at random.

    The surrogate data of Theiler, Eubank, Longtin, Galdrikian & Farmer (1992) and, for several
    channels, Prichard & Theiler (1994): the phases of all channels are shifted alike, so that their
    correlations stay. The mean stays, too. What is left is how fine and how strong the map is;
    where its values lie is lost.

    Attributes:
        of: configuration of the method.
    """

    draws: ClassVar[bool] = True

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        return (
            "noise with the amplitude spectrum of the map described next, whose sign and place "
            f"mean nothing: {self.method.quantity(of)}"
        )

    def explain(self, batch: Batch) -> Explained:
        """Return signed noise, of the shape that the method's maps have."""
        found = self.method.explain(batch)
        size = found.maps.shape[2:]
        spectrum = torch.fft.rfft2(found.maps.detach().double())
        shifted = spectrum * _shifts(size, batch.seeds)[:, None].to(spectrum.device)
        return Explained(torch.fft.irfft2(shifted, size).float(), found.upsampling)


def _shifts(size: torch.Size, image_seeds: tuple[int, ...]) -> Tensor:
    """Return factors (N, h, w // 2 + 1) of size 1 that shift phases and leave the mean.

    Those of white noise: for opposite frequencies they are conjugate, so that maps stay real.
    """
    noise = torch.stack(
        [
            torch.randn(
                size,
                generator=torch.Generator().manual_seed(seeds.derive(seed, "same_spectrum")),
                dtype=torch.float64,
            )
            for seed in image_seeds
        ]
    )
    found = torch.fft.rfft2(noise)
    shifts: Tensor = found / found.abs()
    shifts[:, 0, 0] = 1
    return shifts

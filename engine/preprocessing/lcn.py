"""Local contrast normalisation: every pixel against its neighbourhood."""

from __future__ import annotations

import torch
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional as F

from engine.preprocessing import Step, register

_FLOOR = 1e-4


@register
class Lcn(Step):
    """v = x - sum w x, then v / max(mean(s), s, 1e-4) with s = sqrt(sum w v^2).

    Jarrett, Kavukcuoglu, Ranzato & LeCun (2009), "What is the best multi-stage architecture for
    object recognition?", section 2.1: w is a Gaussian window of sum 1 over the neighbourhood in
    all channels, mean(s) is that of the image. They use 9x9 and give no deviation. Outside the
    image are zeros.

    Ross & Doshi-Velez (2018) put it at the input of their SVHN network, behind global contrast
    normalisation, with window 7 and sigma 3. Their code takes mean(s) over the batch; here it is
    the image's, as in the formula, so that a prediction does not depend on the batch.

    Attributes:
        window: side of the window in pixels, odd.
        sigma: standard deviation of the Gaussian in pixels.
    """

    window: int = Field(9, ge=1)
    sigma: float = Field(2.0, gt=0, allow_inf_nan=False)

    @field_validator("window")
    @classmethod
    def _has_a_centre(cls, window: int) -> int:
        if window % 2 == 0:
            raise ValueError("the window needs a centre: an odd number")
        return window

    def apply(self, x: Tensor) -> Tensor:
        """Return normalised images (N, C, H, W)."""
        weights = self._weights(x)
        v = x - F.conv2d(x, weights, padding=self.window // 2)
        variance = F.conv2d(v.square(), weights, padding=self.window // 2)
        # Clamped before the root, whose gradient at zero is infinite.
        s = variance.clamp_min(_FLOOR**2).sqrt()
        return v / torch.maximum(s, s.mean((1, 2, 3), keepdim=True))

    def _weights(self, x: Tensor) -> Tensor:
        """Return the window for all channels of x: (1, C, window, window), sum 1."""
        place = torch.arange(self.window, dtype=x.dtype, device=x.device) - self.window // 2
        line = torch.exp(-place.square() / (2 * self.sigma**2))
        line = line / line.sum()
        return torch.outer(line, line).expand(1, x.shape[1], -1, -1) / x.shape[1]

"""Occlusion of Zeiler & Fergus (2014)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, ClassVar

import torch
from pydantic import Field, model_validator

from engine.saliency import SaliencyMethod, register
from engine.saliency._explained import Explained
from engine.saliency._fit import UnfitError

if TYPE_CHECKING:
    from engine.networks.memory import Work
    from engine.saliency._explained import Batch

_SHARE = 7
"""The window's side is this part of the image's."""


@register
class Occlusion(SaliencyMethod):
    """F(image) - F(image with a window of the baseline), the mean over the windows on a pixel.

    Zeiler & Fergus (2014), section 3.1, who occlude by grey; Captum's `Occlusion` is the same.
    All channels are occluded together. Windows stand `stride` pixels apart; the last one of a row
    or column ends at the image's border.

    Attributes:
        window: side of the window in pixels; None means a seventh of the shorter side, rounded up.
        stride: None means half of the window, rounded up.
    """

    uses_baseline: ClassVar[bool] = True
    work: ClassVar[Work] = "answers"

    window: int | None = Field(None, ge=1)
    stride: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _leaves_no_pixel_out(self) -> Occlusion:
        if self.window is not None and self.stride is not None and self.stride > self.window:
            raise ValueError(
                f"stride {self.stride} is above the window's side {self.window}: pixels between "
                "windows would have no value"
            )
        return self

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        return (
            f"occlusion: by how much {of} falls when a window around the pixel is replaced by the "
            "baseline; where it is positive, what is there speaks for it, where it is negative, "
            "against it"
        )

    def explain(self, batch: Batch) -> Explained:
        """Return signed maps (N, 1, H, W)."""
        count, (height, width) = len(batch), batch.x.shape[2:]
        windows = list(self._windows(height, width))
        sums = batch.x.new_zeros(count, 1, height, width)
        covered = batch.x.new_zeros(height, width)
        assert batch.baseline is not None
        with torch.no_grad():
            whole = batch.scalar(batch.x, batch.classes, batch.against)
            at_a_time = max(1, batch.size // count)
            for start in range(0, len(windows), at_a_time):
                some = windows[start : start + at_a_time]
                asked = batch.x.repeat(len(some), 1, 1, 1)
                for place, part in zip(some, torch.split(asked, count), strict=True):
                    part[..., *place] = batch.baseline[..., *place]
                against = None if batch.against is None else batch.against.repeat(len(some))
                values = batch.scalar(asked, batch.classes.repeat(len(some)), against)
                for place, value in zip(some, torch.split(values, count), strict=True):
                    sums[..., *place] += (whole - value)[:, None, None, None]
                    covered[place] += 1
        return Explained(sums / covered)

    def _windows(self, height: int, width: int) -> Iterator[tuple[slice, slice]]:
        shorter = min(height, width)
        side = math.ceil(shorter / _SHARE) if self.window is None else self.window
        step = math.ceil(side / 2) if self.stride is None else self.stride
        if side > shorter or step > side:
            raise UnfitError(
                "no_windows",
                f"windows of {side}x{side} pixels, {step} apart, do not cover an image of "
                f"{height}x{width}; give a window up to {shorter} and a stride up to the window",
            )
        tops, lefts = ([*range(0, end - side, step), end - side] for end in (height, width))
        for top, left in product(tops, lefts):
            yield slice(top, top + side), slice(left, left + side)

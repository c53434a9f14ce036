"""Explaining many images, some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.networks.inference import GRADIENT, batch_size, copied, device_of, frozen, looked_at
from engine.saliency._attribution import Attribution, Upsampling
from engine.saliency._target import Target

if TYPE_CHECKING:
    from engine.saliency import SaliencyMethod


class Scalar(nn.Module):
    """The scalar of a network's output that is explained, as a function of images.

    A module, since some of Captum's methods want one; it has no weights of its own.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, classes: Tensor, against: Tensor | None = None) -> Tensor:
        """Return (N,): the logit of `classes` (N,), less that of `against` (N,) where given."""
        logits = self.model(x)
        scalar: Tensor = logits.gather(1, classes[:, None])[:, 0]
        return scalar if against is None else scalar - logits.gather(1, against[:, None])[:, 0]


@dataclass(frozen=True)
class Batch:
    """Some images to explain, on the model's device.

    Attributes:
        model: the network, in evaluation mode with frozen weights.
        x: float32 (N, C, H, W) in [0, 1], N >= 1; a copy of its own.
        classes: int64 (N,).
        against: int64 (N,) or None.
        seeds: one per image.
        baseline: float32 (N, C, H, W) or None.
        size: how many images the network is given at a time, at most: a method that asks it many
            times for an image keeps images times repetitions below.
    """

    model: nn.Module
    x: Tensor
    classes: Tensor
    against: Tensor | None
    seeds: tuple[int, ...]
    baseline: Tensor | None
    size: int

    def __len__(self) -> int:
        return len(self.x)

    @property
    def scalar(self) -> Scalar:
        """The scalar to explain: call it with images, `classes` and `against`."""
        return Scalar(self.model)

    def generators(self) -> list[torch.Generator]:
        """Return a new CPU generator per image, started by its seed."""
        return [torch.Generator().manual_seed(seed) for seed in self.seeds]

    def of(self, rows: Tensor) -> Batch:
        """Return some of the images, at indices int64 (M,)."""
        return Batch(
            self.model,
            self.x[rows],
            self.classes[rows],
            None if self.against is None else self.against[rows],
            tuple(self.seeds[row] for row in rows.tolist()),
            None if self.baseline is None else self.baseline[rows],
            self.size,
        )

    def ones(self) -> Iterator[Batch]:
        """Yield the images one by one, each as a batch."""
        for row in torch.arange(len(self), device=self.x.device):
            yield self.of(row[None])


@dataclass(frozen=True)
class Explained:
    """The maps of one batch, on any device; see `Attribution`."""

    maps: Tensor
    upsampling: Upsampling = "none"
    facts: dict[str, Tensor] = field(default_factory=dict)


def attributed(
    method: SaliencyMethod,
    model: nn.Module,
    images: NDArray[np.float32],
    target: Target,
    seeds: NDArray[np.int64],
    baseline: NDArray[np.float32] | None,
) -> Attribution:
    """Return the maps of all images; see `SaliencyMethod.attribute`."""
    arrays = [target.classes, seeds, *(a for a in (target.against, baseline) if a is not None)]
    if not len(images) or any(len(each) != len(images) for each in arrays):
        raise ValueError(
            f"{method.name}: {len(images)} images, and {', '.join(str(len(a)) for a in arrays)} "
            "of what belongs to them"
        )
    device = device_of(model)
    found = []
    with frozen(model):
        size = batch_size(model, images, work=method.work)
        for start in range(0, len(images), size):
            rows = slice(start, start + size)
            batch = Batch(
                model,
                copied(images[rows], device),
                copied(target.classes[rows], device),
                None if target.against is None else copied(target.against[rows], device),
                tuple(seeds[rows].tolist()),
                None if baseline is None else copied(baseline[rows], device),
                size,
            )
            found.append(method.explain(batch))
    maps = torch.cat([each.maps.detach().cpu() for each in found])
    facts = {
        name: torch.cat([each.facts[name].detach().cpu() for each in found]).double().numpy()
        for name in found[0].facts
    }
    return Attribution(looked_at(maps, GRADIENT).numpy(), found[0].upsampling, facts)

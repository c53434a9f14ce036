"""Saliency methods: signed attribution maps. One file per method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.components import Component, Registry

if TYPE_CHECKING:
    from torch import nn


class SaliencyMethod(Component):
    """Explains a network's output pixel by pixel."""

    @property
    def quantity(self) -> str:
        """The scalar whose attribution the map is, and how its sign reads; drawn as the legend."""
        raise NotImplementedError

    def attribute(
        self, model: nn.Module, images: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return signed maps (N, C, H, W) for images (N, C, H, W) in [0, 1] and labels (N,).

        The model is left as found; it must not be explained from two threads at once, since
        Captum's hooks live on its modules.
        """
        raise NotImplementedError


registry: Registry[SaliencyMethod] = Registry("saliency", __name__)
register = registry.register


def create(name: str, **params: Any) -> SaliencyMethod:
    """Return the saliency method `name` with `params`; see `Registry.create`."""
    return registry.create(name, **params)

"""Preprocessing: what a paper does to its images, as layers of the network. One file per step.

Pixels stay in [0, 1] wherever images are stored, shown or attacked; the steps run inside the
network (`engine.networks.spaces`), so that gradients reach the pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, WithJsonSchema

from engine.components import Component, Registry
from engine.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

Space: TypeAlias = Literal["pixels", "model_input"]
"""Where a perturbation is measured: in pixels, or behind the network's preprocessing."""


class Step(Component):
    """One step: per image, differentiable, finite with finite gradients on every image."""

    def channels(self, channels: int) -> int:
        """Return the number of channels that come out when `channels` go in.

        Raises:
            UsageError: the step cannot take so many.
        """
        return channels

    def apply(self, x: Tensor) -> Tensor:
        """Return the step's output (N, C', H, W) for float images (N, C, H, W)."""
        raise NotImplementedError

    def scale(self, x: Tensor) -> Tensor:
        """Return the change of the input per change of the output, (N, 1, 1, 1).

        The image's own statistics, those of x, count as constants.

        Raises:
            UsageError: no such number exists: the step is not affine per image.
        """
        raise UsageError(
            f"space model_input: no affine map leads back over the step {self.name!r}; make it one "
            "of the network's input_layers, or attack pixels"
        )

    def change(self, x: Tensor, delta: Tensor) -> Tensor:
        """Return the change of the output (N, C', H, W) for a change `delta` of the images x.

        The image's own statistics, those of x, count as constants.

        Raises:
            UsageError: as `scale` does.
        """
        return delta / self.scale(x)


registry: Registry[Step] = Registry("step", __name__)
register = registry.register


def create(name: str, **params: Any) -> Step:
    """Return the step `name` with `params`; see `Registry.create`."""
    return registry.create(name, **params)


def _resolve(value: Any) -> tuple[dict[str, Any], ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list of steps; known: {', '.join(registry.names())}")
    for step in value:
        if not isinstance(step, str | Mapping):
            raise ValueError(f"a step is a name or a mapping with one, not {step!r}")
    return tuple(registry.from_config(step).config() for step in value)


Steps: TypeAlias = Annotated[
    tuple[dict[str, Any], ...],
    BeforeValidator(_resolve),
    WithJsonSchema({"type": "array", "items": {"member": "step"}}),
]
"""Configurations of steps, in their order; a file may give a name for a mapping."""

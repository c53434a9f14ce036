"""Architectures: networks from images in [0, 1] to logits. One file per architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.registry import Component, Registry

if TYPE_CHECKING:
    from torch import nn


class Architecture(Component):
    """Builds networks of one design.

    Captum's attribution asks three things of a network: every operation with a hook is a module
    instance, no instance is used twice, and no module computes in place.
    """

    def build(self, shape: tuple[int, int, int], classes: int, *, seed: int) -> nn.Module:
        """Return a fresh network: float32 (N, *shape) in [0, 1] -> logits (N, classes).

        Equal seeds give equal weights; the caller's random state is untouched.
        """
        raise NotImplementedError


registry: Registry[Architecture] = Registry("model", __name__)
register = registry.register


def create(name: str, **params: Any) -> Architecture:
    """Return the architecture `name` with `params`; see `Registry.create`."""
    return registry.create(name, **params)

"""Architectures: networks from images in [0, 1] to logits. One file per architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from engine import preprocessing as steps
from engine.components import Component, Registry
from engine.models._cam import CamLayer, Reshape, declare, declared, layer_of
from engine.models._code import changes
from engine.preprocessing import Steps

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "Architecture",
    "CamLayer",
    "Reshape",
    "changes",
    "create",
    "declared",
    "layer_of",
    "register",
    "registry",
]


class Architecture(Component):
    """Builds networks of one design; subclasses implement `network` alone.

    Captum's attribution asks three things of a network: every operation with a hook is a module
    instance, no instance is used twice, and no module computes in place.

    Attributes:
        preprocessing: steps between the pixels and the model input, as names or mappings:
            `[grey, gcn, {name: shift, by: -0.5}]`. The model input is the space `model_input` of
            attacks and penalties.
        input_layers: steps that belong to the network, behind the model input: `[lcn]`.
        draws: for a network that draws at random when it answers: how many draws make an answer,
            the log of their mean softmax (`engine.networks.stochastic`). 1 for all others.
    """

    preprocessing: Steps = ()
    input_layers: Steps = ()
    # Left out where it is 1, so that what was made before it was known is found again.
    draws: int = Field(1, ge=1, le=1000, exclude_if=lambda draws: draws == 1)

    @property
    def called(self) -> str:
        """How messages call its networks."""
        return f"model {self.name!r}"

    def made_of(self) -> tuple[steps.Step, ...]:
        """Return the steps, of both sides of the model input."""
        return tuple(
            steps.registry.from_config(config)
            for config in (*self.preprocessing, *self.input_layers)
        )

    @property
    def pretrained(self) -> bool:
        """Whether `build` returns a network that is trained already."""
        return False

    @property
    def cam_layer(self) -> CamLayer | None:
        """The layer that class activation maps are made of; None where none is declared."""
        return None

    def code(self) -> Mapping[str, str]:
        """Return the SHA-256 of each file of code that is not this program's, by its path."""
        return {}

    def check(self) -> None:
        """Raise UsageError when a file that a fresh start needs is not named; before it does.

        A configuration that was read back from an artifact need not pass.
        """

    def check_classes(self, names: Sequence[str]) -> None:
        """Raise UsageError when its classes are known and are not those of the dataset.

        Args:
            names: the dataset's classes in words, by index.
        """

    def build(self, shape: tuple[int, int, int], classes: int, *, seed: int) -> nn.Module:
        """Return a fresh network: float32 (N, *shape) in [0, 1] -> logits (N, classes).

        Equal seeds give equal weights; the caller's random state is untouched. With steps it is
        an `engine.networks.spaces.Preprocessed`, without any the plain network; with draws that
        network is an `engine.networks.stochastic.Expectation`. Innermost, it says which layer
        class activation maps are made of; see `declared`.

        Raises:
            UsageError: a step or the network cannot take images of `shape`, or the network has no
                layer `cam_layer`.
        """
        import torch

        from engine.networks.spaces import Preprocessed
        from engine.networks.stochastic import Expectation

        before, within = (
            [steps.registry.from_config(config) for config in configs]
            for configs in (self.preprocessing, self.input_layers)
        )
        channels, height, width = shape
        for step in [*before, *within]:
            channels = step.channels(channels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self.network((channels, height, width), classes)
        declare(network, self.cam_layer, self.called)
        if self.draws > 1:
            network = Expectation(network, self.draws)
        return Preprocessed(before, within, network) if before or within else network

    def network(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        """Return the network behind the steps, (N, *shape) -> (N, classes).

        It may draw from torch's generator on the processor, which is seeded.
        """
        raise NotImplementedError


registry: Registry[Architecture] = Registry("model", __name__)
register = registry.register


def create(name: str, **params: Any) -> Architecture:
    """Return the architecture `name` with `params`; see `Registry.create`."""
    return registry.create(name, **params)

"""Saliency methods: signed attribution maps. One file per method.

What a map explains is a scalar of the network's output (`Target`): a class, or one class against
another. A method says whether it applies to a network (`SaliencyMethod.fit`) before it draws one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.components import Component, Registry
from engine.saliency._attribution import Attribution, Upsampling, upsampled
from engine.saliency._baselines import BASELINES, BaselineName, baseline_images
from engine.saliency._fit import DELTA, Fit, Reason
from engine.saliency._laplacian import laplacian_of_gaussian
from engine.saliency._target import RULES, Rule, Target, chosen, in_words

if TYPE_CHECKING:
    from torch import nn

    from engine.networks.memory import Work
    from engine.networks.structure import Structure
    from engine.saliency._explained import Batch, Explained

__all__ = [
    "BASELINES",
    "DELTA",
    "NULL_METHODS",
    "RULES",
    "Attribution",
    "BaselineName",
    "Fit",
    "Reason",
    "Rule",
    "SaliencyMethod",
    "Target",
    "Upsampling",
    "baseline_images",
    "chosen",
    "create",
    "in_words",
    "laplacian_of_gaussian",
    "register",
    "registry",
    "upsampled",
]


NULL_METHODS = frozenset({"edges", "same_spectrum", "randomised_weights"})
"""Names of the methods whose maps say nothing of what the network has learned: what other maps are
compared with, and placebos where people are asked. A list, so that no torch is imported to ask."""


class SaliencyMethod(Component):
    """Explains a network's output pixel by pixel; subclasses implement `explain` alone.

    The contract, held for every member by one test: maps are finite, signed float32; a map does
    not depend on the batch that its image is in; equal seeds give equal maps; whatever is random is
    drawn on the CPU, from one generator per image that its seed starts; the model is left as found.
    """

    uses_baseline: ClassVar[bool] = False
    """Whether maps are relative to a baseline image; see `engine.saliency.BASELINES`."""
    draws: ClassVar[bool] = False
    """Whether maps depend on seeds."""
    work: ClassVar[Work] = "gradients"
    """What it does with a network: how many images it is given at a time depends on it."""
    complete: ClassVar[bool] = False
    """Whether a map's values add up to F(image) - F(baseline), so that `Attribution.delta` is."""
    guided: ClassVar[bool] = False
    """Whether ReLU modules let only what is positive of the gradient through, or the like. It is
    refused where rectifiers are in no such module, and where its maps are the plain gradient."""

    @property
    def explains_a_class(self) -> bool:
        """Whether the target decides its maps; else they are the same whatever is explained."""
        return True

    def quantity(self, of: str) -> str:
        """Return what the map is, and how its sign reads; drawn as the legend.

        Args:
            of: the scalar in words, as `in_words` gives it: "the logit of the true label".
        """
        raise NotImplementedError

    def unfit(self, structure: Structure) -> list[Reason]:
        """Return why its maps would be wrong or doubtful on a network; default: no reason.

        Args:
            structure: what the network is made of, and what it calls when it answers.
        """
        return []

    def fit(
        self,
        model: nn.Module,
        images: NDArray[np.float32],
        target: Target,
        *,
        seeds: NDArray[np.int64],
        baseline: NDArray[np.float32] | None,
    ) -> Fit:
        """Return whether it applies to `model`, asked on the first two images.

        Where `unfit` does not refuse, it is tried: what raises, what is empty, has no height and
        width or is not finite is refused too, and maps that are zero in every pixel are a doubt.
        The codes of reasons stand in `engine.saliency._fit`. Arguments as for `attribute`.

        Raises:
            NotFiniteError: the network's logits or input gradients are NaN or infinite.
        """
        from engine.saliency import _trial

        return _trial.fit(self, model, images, target, seeds=seeds, baseline=baseline)

    def attribute(
        self,
        model: nn.Module,
        images: NDArray[np.float32],
        target: Target,
        *,
        seeds: NDArray[np.int64] | None = None,
        baseline: NDArray[np.float32] | None = None,
    ) -> Attribution:
        """Return signed maps of images, in the resolution that the method has.

        The model is left as found; it must not be explained from two threads at once, since
        Captum's hooks live on its modules.

        Args:
            model: network from (N, C, H, W) in [0, 1] to logits (N, K).
            images: float32 (N, C, H, W) in [0, 1].
            target: what is explained of each.
            seeds: one per image, int64 (N,); None means 0..N-1.
            baseline: in pixels, float32 (N, C, H, W); None only where it uses none.

        Raises:
            ValueError: it needs a baseline and got none, or lengths differ.
            NotFiniteError: a logit or an input gradient was NaN or infinite.
        """
        from engine.saliency import _explained

        if self.uses_baseline and baseline is None:
            raise ValueError(f"{self.name}: its maps are relative to a baseline, and there is none")
        given = np.arange(len(images)) if seeds is None else seeds
        return _explained.attributed(self, model, images, target, given, baseline)

    def explain(self, batch: Batch) -> Explained:
        """Return the maps of one batch; the model is frozen, and there is at least one image."""
        raise NotImplementedError


registry: Registry[SaliencyMethod] = Registry("saliency", __name__)
register = registry.register


def create(name: str, **params: Any) -> SaliencyMethod:
    """Return the saliency method `name` with `params`; see `Registry.create`."""
    return registry.create(name, **params)

"""Defenses: training objectives. One file per defense; several combine into one.

A defense contributes an *objective*, which stands for plain cross-entropy, or a *penalty*, which is
added to whatever the objective is. That is what makes them combine: at most one objective, any
number of penalties.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from engine.components import Component, Registry
from engine.errors import UsageError
from engine.preprocessing import Space

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from engine.datasets import Split

Terms: TypeAlias = "Mapping[str, Tensor]"
"""Weighted terms of a loss, by name; the loss is their sum."""


@dataclass
class Context:
    """What a defense may use in one training step beside model and batch.

    Attributes:
        required: the models that `Defense.requires` asked for, by role, in evaluation mode.
        wants_input_gradient: the clean forward pass must be differentiable in x.
    """

    required: Mapping[str, nn.Module] = field(default_factory=dict)
    wants_input_gradient: bool = False
    _clean: tuple[Tensor, Tensor, Tensor] | None = None
    """Pixels, model input and logits of the clean batch."""

    def clean_beside(self, model: nn.Module, x: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the clean batch and of another, run as one batch."""
        import torch

        from engine.networks import spaces

        x = x.detach().requires_grad_(self.wants_input_gradient)
        to_model_input, network = spaces.split(model)
        z = to_model_input(x)
        logits = network(torch.cat([z, to_model_input(other)]))
        clean, beside = logits.split([len(x), len(other)])  # type: ignore[no-untyped-call]
        self._clean = (x, z, clean)
        return clean, beside

    def clean(self, model: nn.Module, x: Tensor, space: Space = "pixels") -> tuple[Tensor, Tensor]:
        """Return (x, logits) of the clean batch; combined defenses share one forward pass.

        In the space `model_input` the first is the model input of x.

        Raises:
            UsageError: the model input is not at hand; see `engine.networks.spaces.preprocessed`.
        """
        from engine.networks import spaces

        if space == "model_input":
            spaces.preprocessed(model)
        if self._clean is None:
            x = x.detach().requires_grad_(self.wants_input_gradient)
            to_model_input, network = spaces.split(model)
            z = to_model_input(x)
            self._clean = (x, z, network(z))
        pixels, model_input, logits = self._clean
        return (pixels if space == "pixels" else model_input), logits


class Defense(Component):
    """A training objective: `loss` gives the scalar to minimise and its named terms."""

    needs_input_gradient: ClassVar[bool] = False
    """The penalty differentiates the clean pass with respect to the input."""
    has_objective: ClassVar[bool] = False
    """It replaces the classification loss rather than adding to it."""

    def requires(self) -> dict[str, Defense]:
        """Return the models that must be trained before, as role -> defense (a teacher, say)."""
        return {}

    def check(self, model: nn.Module, images: NDArray[np.float32]) -> None:
        """Raise UsageError when `model` is not one that this defense can train; before it does.

        Args:
            model: the network, not yet trained.
            images: some that it takes, float32 (N, C, H, W) in [0, 1], N >= 1.
        """

    def objective(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Terms:
        """Return the weighted terms that stand for classification; default: mean H(y, f)."""
        from torch.nn import functional as F

        return {"cross_entropy": F.cross_entropy(context.clean(model, x)[1], y)}

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Terms:
        """Return the weighted terms added to the objective; default: none."""
        return {}

    def differentiates_input(self) -> bool:
        """Whether the clean pass must be differentiable in x."""
        return self.needs_input_gradient

    def fits_one_step(self) -> bool:
        """Whether it trains on adversarial examples of a single step; default: no.

        A model can then learn to read the label off that step, and is tested for it.
        """
        return False

    def loss(
        self, model: nn.Module, x: Tensor, y: Tensor, context: Context
    ) -> tuple[Tensor, Terms]:
        """Return the scalar loss of a batch and its terms, which sum to it.

        Args:
            model: the network in training mode.
            x: float32 (B, C, H, W) in [0, 1].
            y: int64 (B,).
            context: see `Context`; a fresh one for every step.
        """
        context.wants_input_gradient |= self.differentiates_input()
        terms = {
            **self.objective(model, x, y, context),
            **self.penalty(model, x, y, context),
        }
        total = next(iter(terms.values()))
        for term in list(terms.values())[1:]:
            total = total + term
        return total, terms

    def finalize(self, model: nn.Module, train: Split) -> None:
        """Finish the trained `model`, in evaluation mode, in place; default: nothing to do.

        Args:
            model: the network after the last step.
            train: what it was trained on.
        """


class Combined(Defense):
    """Several defenses at once: the one objective among them plus all penalties."""

    parts: tuple[Defense, ...]

    def config(self) -> dict[str, Any]:
        """Return the resolved configuration of every part."""
        return {
            "name": "+".join(p.name for p in self.parts),
            "parts": [p.config() for p in self.parts],
        }

    def __repr__(self) -> str:
        """Return the call that rebuilds this defense where `defenses` was imported by name."""
        return f"defenses.combine({[part.config() for part in self.parts]!r})"

    __str__ = __repr__

    def differentiates_input(self) -> bool:
        """Whether any part needs it."""
        return any(part.needs_input_gradient for part in self.parts)

    def fits_one_step(self) -> bool:
        """Whether any part does."""
        return any(part.fits_one_step() for part in self.parts)

    def requires(self) -> dict[str, Defense]:
        """Return what the parts require."""
        return {role: defense for part in self.parts for role, defense in part.requires().items()}

    def objective(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Terms:
        """Return the terms of the part with an objective of its own, else cross-entropy."""
        for part in self.parts:
            if part.has_objective:
                return part.objective(model, x, y, context)
        return super().objective(model, x, y, context)

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Terms:
        """Return the terms of all parts' penalties."""
        return {
            name: term
            for part in self.parts
            for name, term in part.penalty(model, x, y, context).items()
        }

    def check(self, model: nn.Module, images: NDArray[np.float32]) -> None:
        """Raise UsageError when a part cannot train `model`."""
        for part in self.parts:
            part.check(model, images)

    def finalize(self, model: nn.Module, train: Split) -> None:
        """Let every part finish the model, in their order."""
        for part in self.parts:
            part.finalize(model, train)


registry: Registry[Defense] = Registry("defense", __name__)
register = registry.register


def create(name: str, **params: Any) -> Defense:
    """Return the defense `name` with `params`; see `Registry.create`."""
    return registry.create(name, **params)


def combine(configs: Sequence[str | Mapping[str, Any]]) -> Defense:
    """Return the defense that a list of configurations describes.

    Raises:
        UsageError: the list is empty, names an unknown defense, or has two objectives.
    """
    parts = tuple(registry.from_config(config) for config in configs)
    if len(parts) == 1:
        return parts[0]
    objectives = [part.name for part in parts if part.has_objective]
    if not parts or len(objectives) > 1:
        found = " and ".join(objectives) or "nothing"
        raise UsageError(f"a defense is one objective plus penalties, not {found}")
    return Combined(parts=parts)


def from_config(config: Mapping[str, Any]) -> Defense:
    """Return the defense of a resolved configuration, combined or not; see `Defense.config`."""
    return combine(config.get("parts", [config]))

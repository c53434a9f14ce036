"""Attacks: adversarial examples for a model, and same-norm controls. One file per attack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from pydantic import ConfigDict, model_validator

from engine.attacks._batch import Batch
from engine.attacks._levels import amount, eps_words, is_whole, levels
from engine.attacks._sizes import Eps, Number, PixelEps, describe_pixels, require_within_pixels
from engine.attacks._targets import TargetRule, choose_target, random_targets
from engine.components import Component, Registry
from engine.errors import UsageError
from engine.preprocessing import Space

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.attacks._balls import Norm

__all__ = [
    "Attack",
    "Batch",
    "Eps",
    "GradientAttack",
    "Number",
    "PixelEps",
    "TargetRule",
    "Trace",
    "amount",
    "choose_target",
    "clip",
    "create",
    "describe_pixels",
    "eps_words",
    "ignore",
    "is_whole",
    "levels",
    "only",
    "random_targets",
    "register",
    "registry",
    "require_within_pixels",
    "vary",
]

Trace: TypeAlias = "Callable[[Tensor], None]"
"""Called with each iterate (N, C, H, W), the starting image included."""


class Attack(Component):
    """Makes adversarial examples; subclasses implement `run` alone.

    The contract, held for every member by one test: the result is detached, float32, in [0, 1]
    and within budget, on the input's device; it does not depend on the batch an image is in;
    the model is left as found (mode of every module, buffers, `.grad`, `requires_grad`).
    Whatever is random is drawn on the CPU, from one generator per image that its seed starts.
    """

    control: ClassVar[bool] = False
    """It disturbs without aiming at the model: what it makes are controls, not mistakes."""

    @property
    def targeted(self) -> bool:
        """Whether it aims at a class; else its target is the class it ended in."""
        return False

    def budget(self) -> tuple[Norm, float] | None:
        """Return the norm and the radius of the ball around its image that an example stays in.

        In units of the space that the attack works in. None where its parameters set no ball.
        """
        return None

    @property
    def pixel_ball(self) -> tuple[Norm, float] | None:
        """The ball in pixels that its 8-bit examples are kept in; see `eight_bit.rounded`.

        None where it has no budget, or one in another space.
        """
        return self.budget()

    def applies_to(self, classes: int) -> bool:
        """Whether among so many classes it does what none of its kind with less does."""
        return True

    def prepared(self, model: nn.Module, x: Tensor) -> nn.Module:
        """Return the network that the attack works on: `model` itself, or an equivalent copy.

        To attack many batches, ask once and give the answer to every call.

        Args:
            model: the network that is attacked; it is left as found.
            x: some images that it takes, float32 (N, C, H, W) in [0, 1], N >= 1.
        """
        return model

    def __call__(
        self,
        model: nn.Module,
        x: Tensor,
        y: Tensor,
        target: Tensor | None = None,
        *,
        seeds: Tensor | None = None,
        trace: Trace | None = None,
    ) -> Tensor:
        """Return adversarial examples for `x`.

        Args:
            model: network from (N, C, H, W) in [0, 1] to logits (N, K).
            x: float32 (N, C, H, W) in [0, 1].
            y: true labels, int64 (N,).
            target: classes to aim at, int64 (N,); None leaves the choice to the attack.
            seeds: one seed per image, int64 (N,); None means 0..N-1. Deterministic attacks
                ignore them.
            trace: collects the iterates.

        Raises:
            ValueError: x is not float32 in [0, 1], or the lengths differ.
            NotFiniteError: a logit or an input gradient was NaN or infinite.
        """
        import torch

        from engine.networks.inference import finite, frozen

        self._check(x, y, target, seeds)
        if seeds is None:
            seeds = torch.arange(len(x))
        if not len(x):
            return x.detach().clone()
        # A copy: a network may write into what it is given, and x is the caller's. Contiguous:
        # a network may take views.
        start = x.detach().clone(memory_format=torch.contiguous_format)
        batch = Batch(start, y, target, seeds.cpu())
        with frozen(model), torch.enable_grad(), finite():
            x_adv = self._run(model, batch, trace or ignore)
            return x_adv.detach().contiguous()

    def run(self, model: nn.Module, batch: Batch, trace: Trace) -> Tensor:
        """Return the examples (N, C, H, W); the batch is checked and the model is frozen.

        Args:
            model: as in `__call__`.
            batch: the images; at least one.
            trace: to be called with the start and with every iterate.
        """
        raise NotImplementedError

    def _run(self, model: nn.Module, batch: Batch, trace: Trace) -> Tensor:
        """Call `run` where the attack works: in pixels."""
        return self.run(model, batch, trace)

    def _check(self, x: Tensor, y: Tensor, target: Tensor | None, seeds: Tensor | None) -> None:
        import torch

        if x.dtype != torch.float32 or x.dim() != 4:
            raise ValueError(
                f"{self.name}: images must be float32 (N, C, H, W), not {x.dtype} {tuple(x.shape)}"
            )
        if len(x) and (x.min() < 0 or x.max() > 1):
            raise ValueError(
                f"{self.name}: pixels must lie in [0, 1], not "
                f"[{x.min().item():.3g}, {x.max().item():.3g}]"
            )
        for name, value in (("y", y), ("target", target), ("seeds", seeds)):
            if value is not None and (value.shape != x.shape[:1] or value.dtype != torch.int64):
                raise ValueError(
                    f"{self.name}: {name} must be int64 ({len(x)},), "
                    f"not {value.dtype} {tuple(value.shape)}"
                )


def ignore(_iterate: Tensor) -> None:
    """Collect nothing."""


class GradientAttack(Attack):
    """An attack that follows gradients, in pixels or behind the network's preprocessing.

    In `model_input` its sizes are in units of the model input, and `run` gets that: x and the
    iterates are model inputs, `model` is the network behind the preprocessing, and `clip` keeps
    the bounds. The result is x + scale * (z_adv - z), clipped to [0, 1], where z is the model input
    of x and scale the way back per image with the source image's own mean and deviation; a colour
    image gets the change of its grey image in all channels. The network normalises the result
    anew. Without preprocessing the model input is the pixels.

    Attributes:
        space: where sizes are measured and steps are made. Ross & Doshi-Velez (2018) give theirs
            for SVHN behind global contrast normalisation: `model_input`.
        prepare: attack an equivalent copy of the network that is faster; see
            `engine.networks.fast_copy.prepare`. The last bits differ, and with them now and then
            the sign of a gradient near zero. A copy given as the model is not copied again.

    Raises:
        UsageError: a size of an L-inf disturbance of pixels is above 1. In L2 the largest that
            means anything depends on the image, and in `model_input` on the preprocessing; so any
            finite one is taken.
    """

    model_config = ConfigDict(json_schema_extra=describe_pixels)

    space: Space = "pixels"
    prepare: bool = False

    @model_validator(mode="after")
    def _sizes_within_pixels(self) -> GradientAttack:
        if self.space == "pixels" and getattr(self, "norm", "linf") == "linf":
            sizes = {name: getattr(self, name, None) for name in ("eps", "step_size", "theta")}
            try:
                require_within_pixels(sizes)
            except ValueError as error:
                raise UsageError(f"attack {self.name!r}: {error}") from None
        return self

    @property
    def pixel_ball(self) -> tuple[Norm, float] | None:
        """The ball in pixels that its 8-bit examples are kept in; see `Attack.pixel_ball`."""
        return self.budget() if self.space == "pixels" else None

    def prepared(self, model: nn.Module, x: Tensor) -> nn.Module:
        """Return `model`, or with `prepare` its faster copy; see `Attack.prepared`.

        Raises:
            UsageError: the network is to be prepared and cannot be copied.
        """
        from engine.networks import fast_copy

        return fast_copy.prepare(model, x) if self.prepare else model

    def _run(self, model: nn.Module, batch: Batch, trace: Trace) -> Tensor:
        """Call `run` where the attack works: in pixels, or behind the preprocessing and back.

        Raises:
            UsageError: no affine map leads back from the model input, or it is not at hand; or
                the network is to be prepared and cannot be copied.
        """
        from engine.networks import spaces

        model = self.prepared(model, batch.x)
        whole = spaces.preprocessed(model) if self.space == "model_input" else None
        if whole is None:
            return self.run(model, batch, trace)
        behind = spaces.ModelInput(whole, batch.x)

        def trace_pixels(z: Tensor) -> None:
            trace(behind.to_pixels(z))

        z_adv = self.run(behind, replace(batch, x=behind.start), trace_pixels)
        return behind.to_pixels(z_adv)


def clip(model: nn.Module, x: Tensor, rows: Tensor | None = None) -> Tensor:
    """Return `x` clipped to the bounds of the space that `GradientAttack.run` was called in.

    Args:
        model: the one that `run` got.
        x: iterates (N, C, H, W).
        rows: which of the images that `run` got they belong to, where these are not all.
    """
    from engine.networks.spaces import ModelInput

    return model.clip(x, rows) if isinstance(model, ModelInput) else x.clamp(0, 1)


def only(model: nn.Module, rows: Tensor) -> nn.Module:
    """Return the model that `GradientAttack.run` got, for some of the images that it got.

    Args:
        model: the one that `run` got.
        rows: indices (M,) of the images, or a mask (N,).
    """
    from engine.networks.spaces import ModelInput

    return model.rows(rows) if isinstance(model, ModelInput) else model


registry: Registry[Attack] = Registry("attack", __name__)
register = registry.register


def create(name: str, **params: Any) -> Attack:
    """Return the attack `name` with `params`; see `Registry.create`."""
    return registry.create(name, **params)


def vary(attack: Attack, parameter: str, value: float) -> Attack:
    """Return the attack with one parameter at another value.

    Raises:
        UsageError: it has no such parameter, or the parameter does not take the value.
    """
    return registry.from_config({**attack.config(), parameter: value})

"""BatchNorm differentiated twice in closed form, for training with an input-gradient penalty.

PyTorch composes BatchNorm's second derivative of some twenty elementwise operations on tensors as
large as the activations; on a CPU they are over a third of a training step with an input-gradient
penalty. The closed form needs the first derivative's own kernel once more and a few operations in
place. With m values a channel, x^ = r (x - mean), r = 1 / sqrt(var + eps) and
P(a) = a - mean(a) - x^ mean(a x^), the backward pass is the self-adjoint map g -> gamma r P(g).
For a cotangent v of that result:

    towards g       gamma r P(v)
    towards gamma   r <P(v), g>
    towards x       -r/m ( <v, x^> gamma r P(g) + <g, x^> gamma r P(v) + gamma r <P(v), g> x^ )

The forward and the first backward pass run PyTorch's own kernels: loss and terms have the bits of
the ordinary path, parameter gradients differ from it by rounding alone.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from engine.defenses import Context, Defense, Terms
from engine.errors import PlausiblyError

TOLERANCE = 1e-4
"""Largest relative difference that the check on the first batch lets pass.

Rounding stays below a tenth of it; a lost term does not.
"""
_aten = torch.ops.aten


class PenaltyStep:
    """Loss, terms and parameter gradients of one training step, as `loss.backward()` leaves them.

    The first call does the step both ways, on copies, and compares. A pure function of weights,
    buffers, batch and torch's random state, so a resumed training has the same bits; the check
    touches none of them.

    Args:
        model: the network; its `.grad`s are replaced by each call.
        defense: the objective. One that does not differentiate the input takes the ordinary path.
        closed_form: False takes the ordinary path always.
    """

    def __init__(self, model: nn.Module, defense: Defense, *, closed_form: bool = True) -> None:
        self.model = model
        self.defense = defense
        self._closed_form = closed_form and defense.differentiates_input()
        self._checked = not self._closed_form

    @property
    def copies(self) -> int:
        """How many copies of the network with their gradients the first call holds at a time."""
        return 0 if self._checked else 2

    def ordinary(self, model: nn.Module) -> PenaltyStep:
        """Return the ordinary path of the step on a different network: it takes the more memory."""
        return PenaltyStep(model, self.defense, closed_form=False)

    def __call__(self, x: Tensor, y: Tensor, context: Context) -> tuple[Tensor, Terms]:
        """Return the loss of the batch and its terms; see `Defense.loss` for the arguments.

        Raises:
            PlausiblyError: on the first batch the step is not the ordinary one.
        """
        if not self._checked:
            self._check(x, y, context)
            self._checked = True
        return _step(self.model, self.defense, x, y, context, closed_form=self._closed_form)

    def _check(self, x: Tensor, y: Tensor, context: Context) -> None:
        found = []
        for closed_form in (False, True):
            model = copy.deepcopy(self.model)
            fresh = copy.copy(context)  # not used yet, so nothing of a forward pass is in it
            with torch.random.fork_rng(devices=_devices(x)):
                loss, terms = _step(model, self.defense, x, y, fresh, closed_form=closed_form)
            found.append((loss, terms, model))
        (loss, terms, model), (other_loss, other_terms, other) = found
        _compare("the loss", loss, other_loss)
        for name, term in terms.items():
            _compare(f"the term {name}", term, other_terms[name])
        for (name, buffer), moved in zip(model.named_buffers(), other.buffers(), strict=True):
            _compare(f"the buffer {name}", buffer, moved)
        # A bias before BatchNorm has no gradient but rounding; against the largest it is nothing.
        floor = 0.1 * max(_norms(model.parameters()), default=0.0)
        for (name, weight), twin in zip(model.named_parameters(), other.parameters(), strict=True):
            _compare(f"the gradient of {name}", weight.grad, twin.grad, floor)


class ClosedFormBatchNorm(TorchFunctionMode):
    """Within it, BatchNorm in training mode on the CPU is differentiated twice in closed form.

    Whatever else it meets goes its ordinary way, other devices and mixed precisions included.
    """

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run `func`, or its replacement if it is a BatchNorm that this can do."""
        kwargs = dict(kwargs or {})
        if func is F.batch_norm:
            norm = _Arguments(*args, **kwargs)
            if norm.replaceable():
                return _BatchNorm.apply(*norm.ordered())  # type: ignore[no-untyped-call]
        return func(*args, **kwargs)


class _Arguments:
    """The arguments of `F.batch_norm`, by name."""

    def __init__(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> None:
        self.x, self.weight, self.bias = input, weight, bias
        self.running_mean, self.running_var = running_mean, running_var
        self.training, self.momentum, self.eps = training, momentum, eps

    def replaceable(self) -> bool:
        """Whether it normalises by the batch, in one precision, on the CPU."""
        others = (self.weight, self.bias, self.running_mean, self.running_var)
        return (
            self.training
            and self.x.device.type == "cpu"
            and all(other is None or other.dtype == self.x.dtype for other in others)
            and self.x.numel() > self.x.shape[1]  # PyTorch's own refuses one value a channel
        )

    def ordered(self) -> tuple[Any, ...]:
        """Return them as `_BatchNorm` takes them."""
        statistics = (self.running_mean, self.running_var)
        return (self.x, self.weight, self.bias, *statistics, self.momentum, self.eps)


class _BatchNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        momentum: float,
        eps: float,
    ) -> Any:
        out, mean, rstd = _aten.native_batch_norm(
            x, weight, bias, running_mean, running_var, True, momentum, eps
        )
        ctx.save_for_backward(x, weight, mean, rstd)
        ctx.eps = eps
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        found = _BatchNormBackward.apply(gradient, *ctx.saved_tensors, ctx.eps)  # type: ignore[no-untyped-call]
        wanted = zip(found, ctx.needs_input_grad, strict=False)
        return (*(to if needs else None for to, needs in wanted), None, None, None, None)


class _BatchNormBackward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        g: Tensor,
        x: Tensor,
        weight: Tensor | None,
        mean: Tensor,
        rstd: Tensor,
        eps: float,
    ) -> Any:
        to_x, to_weight, to_bias = _backward(g, x, weight, mean, rstd, eps)
        ctx.save_for_backward(g, x, weight, mean, rstd, to_x, to_weight)
        ctx.eps = eps
        ctx.set_materialize_grads(False)
        return to_x, to_weight, to_bias

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, v: Tensor | None, *parameters: Tensor | None) -> Any:
        if v is None or any(cotangent is not None for cotangent in parameters):
            raise PlausiblyError(
                "BatchNorm's closed form differentiates gradients of the input, not of weights; "
                "leave ClosedFormBatchNorm for this objective"
            )
        g, x, weight, mean, rstd, to_x, g_xhat = ctx.saved_tensors
        shape = (1, -1, *(1,) * (x.dim() - 2))
        to_g, v_xhat, _ = _backward(v, x, None, mean, rstd, ctx.eps)
        axes = [axis for axis in range(x.dim()) if axis != 1]
        to_weight = (to_g * g).sum(axes)
        scaled = to_weight
        if weight is not None:
            to_g.mul_(weight.view(shape))
            scaled = to_weight * weight
        factor = -rstd * x.shape[1] / x.numel()
        second = (x - mean.view(shape)).mul_((factor * scaled * rstd).view(shape))
        second.addcmul_(to_x, (factor * v_xhat).view(shape))
        second.addcmul_(to_g, (factor * g_xhat).view(shape))
        return to_g, second, None if weight is None else to_weight, None, None, None


def _backward(
    g: Tensor, x: Tensor, weight: Tensor | None, mean: Tensor, rstd: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return gamma r P(g), <g, x^> and sum(g): PyTorch's kernel of the first derivative."""
    found: tuple[Tensor, Tensor, Tensor] = _aten.native_batch_norm_backward(
        g, x, weight, None, None, mean, rstd, True, eps, [True, True, True]
    )
    return found


def _step(
    model: nn.Module, defense: Defense, x: Tensor, y: Tensor, context: Context, *, closed_form: bool
) -> tuple[Tensor, Terms]:
    model.zero_grad(set_to_none=True)
    with ClosedFormBatchNorm() if closed_form else nullcontext():
        loss, terms = defense.loss(model, x, y, context)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss, terms


def _compare(what: str, expected: Tensor | None, found: Tensor | None, floor: float = 0.0) -> None:
    if expected is not None and not expected.isfinite().all():
        return  # training stops at such a step and says so itself
    if expected is None or found is None:
        off = 0.0 if expected is found else float("inf")
    else:
        scale = max(float(expected.detach().double().norm()), floor)
        off = float((found.detach().double() - expected.detach().double()).norm())
        off = off / scale if scale else off
    if not off <= TOLERANCE:
        raise PlausiblyError(
            f"the closed-form training step is not the ordinary one: {what} differs by {off:.1e} "
            f"of its size on the first batch (at most {TOLERANCE:.0e}); train without it"
        )


def _norms(parameters: Iterable[nn.Parameter]) -> list[float]:
    return [float(weight.grad.norm()) for weight in parameters if weight.grad is not None]


def _devices(x: Tensor) -> list[torch.device]:
    return [] if x.device.type == "cpu" else [x.device]

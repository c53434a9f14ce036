"""What a network is made of and what it calls when it answers, for methods that rest on either.

Hooks sit on modules: what a network computes without one they miss.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from engine.networks.inference import frozen
from engine.networks.memory import ran_out
from engine.networks.stochastic import draws_of

_NAMES = """
    AccumulateGrad Add Sub Rsub Neg T Transpose Permute Movedim View ReshapeAlias UnsafeView
    Squeeze Unsqueeze Expand Repeat Cat Stack Slice Select Index Gather Split SplitWithSizes
    Unbind Clone Copy CopyBackwards ToCopy Alias AsStrided Unfold Flip Roll Mean Sum AvgPool2D
    AdaptiveAvgPool2D NativeBatchNorm CudnnBatchNorm ConstantPadNd ReflectionPad2D
    ReplicationPad2D UpsampleNearest2D UpsampleBilinear2D UpsampleBilinear2DAa UpsampleBicubic2D
    UpsampleBicubic2DAa
"""
_LINEAR = frozenset(_NAMES.split())
"""Operations that are linear, up to a constant, in what their gradient goes to."""
_PRODUCTS = ("Mul", "Mm", "Bmm", "Mv", "Addmm", "Baddbmm", "Linear", "Convolution")
"""These are where one factor is constant, as frozen weights are."""
_ACTIVATIONS = {
    "relu": ("relu",),
    "leaky_relu": ("leaky_relu", "rrelu_with_noise"),
    "elu": ("elu", "celu"),
    "sigmoid": ("sigmoid", "hardsigmoid", "log_sigmoid_forward"),
    "tanh": ("tanh",),
    "softplus": ("softplus",),
    "softmax": ("_softmax", "_scaled_dot_product"),
    "gelu": ("gelu",),
    "silu": ("silu",),
    "mish": ("mish",),
    "hardswish": ("hardswish",),
    "hardtanh": ("hardtanh",),
    "prelu": ("_prelu_kernel",),
    "absolute": ("abs",),
    "mask": ("where",),
    "recurrent": ("mkldnn_rnn_layer", "_cudnn_rnn", "_thnn_fused"),
}
"""Activations by the name that `Structure` has for them, and what PyTorch's dispatcher calls them;
variants in place and of single devices begin the same."""


@dataclass(frozen=True)
class Structure:
    """What was seen when a network answered for one image.

    A module is known by its name in the network; those without children are looked at. What lies
    in a scripted module, in one that the network does not register, or in none is in no module
    here, as it is for whoever hooks modules.

    Attributes:
        calls: how often each module gave something that the answer depends on. Calls are those for
            a single image: who asks a network image by image calls nothing twice.
        kinds: its class, by the same names: "ReLU". Of classes that are not PyTorch's with the
            module that they are from, so that none is taken for PyTorch's.
        activations: how many activations were computed, by name ("relu", "gelu", "softmax"), in
            modules or not. As "relu" count clamping or a threshold at zero from below and the
            maximum with zero too; a product with true and false is a "mask".
        functional_relus: how many rectifiers were computed in no module of PyTorch's class ReLU.
        nonlinear: how many operations that are not linear the answer's gradient goes through,
            rectifiers included, by PyTorch's name: "Relu", "MaxPool2DWithIndices". An operation
            that is not known to be linear counts as one that is not.
        draws: how many answers a network that draws at random is averaged over; else 1.
    """

    calls: dict[str, int]
    kinds: dict[str, str]
    activations: dict[str, int] = field(default_factory=dict)
    functional_relus: int = 0
    nonlinear: dict[str, int] = field(default_factory=dict)
    draws: int = 1

    def named(self, *kinds: str) -> list[str]:
        """Return the names of the called modules of these classes, in the order of their calls."""
        return [name for name in self.calls if self.kinds[name] in kinds]

    @property
    def reused(self) -> list[str]:
        """The names of the modules that were called more than once."""
        return [name for name, times in self.calls.items() if times > 1]

    @property
    def relu_operations(self) -> int:
        """How many rectifiers were computed, in modules or not."""
        return self.activations.get("relu", 0)

    @property
    def other_activations(self) -> dict[str, int]:
        """How many activations that are no rectifier were computed, by name."""
        return {name: times for name, times in self.activations.items() if name != "relu"}


def of(model: nn.Module, x: Tensor) -> Structure:
    """Return what `model` is made of, asked on the first of images x (N, C, H, W).

    It is left as found, and so are random states.
    """
    watched = _Watched(model)
    with frozen(model), torch.enable_grad():
        try:
            answer = watched.ask(x[:1])
        except Exception as error:  # statistics of a batch, say, which one image has not
            if len(x) < 2 or ran_out(error):
                raise
            watched = _Watched(model)
            answer = watched.ask(x[:2])
    nodes = _behind(answer)
    used = watched.calls(nodes)
    bent = Counter(name for name, linear in map(_described, nodes) if not linear)
    return Structure(
        used,
        {name: watched.kinds[name] for name in used},
        dict(watched.activations),
        watched.functional_relus,
        dict(bent),
        draws_of(model),
    )


class _Watched:
    """A network and what it does when it is asked.

    Attributes:
        kinds, activations, functional_relus: see `Structure`; kinds of all that is looked at.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._inside: list[str] = []
        self._looked_at = dict(_leaves(model))
        self._made: list[tuple[str, Any]] = []
        self.kinds = {name: _kind(module) for name, module in self._looked_at.items()}
        self.activations: Counter[str] = Counter()
        self.functional_relus = 0

    def calls(self, nodes: set[Any]) -> dict[str, int]:
        """Return how often each module made one of these nodes of autograd's graph.

        One that made no tensor counts with each call.
        """
        return dict(Counter(name for name, node in self._made if node is None or node in nodes))

    def ask(self, images: Tensor) -> Tensor:
        """Return the network's answer to images (N, C, H, W), and note what it does."""
        devices = [images.device] if images.is_cuda else []
        # No leaf of the graph, so that the network may write into it.
        given = images.detach().clone().requires_grad_(True).clone()
        with torch.random.fork_rng(devices=devices), self._hooked(), _Activations(self._computed):
            answer: Tensor = self._model(given)
        return answer

    @contextmanager
    def _hooked(self) -> Iterator[None]:
        handles = []
        for name, module in self._looked_at.items():
            if isinstance(module, torch.jit.ScriptModule):
                continue  # takes no hook
            handles.append(module.register_forward_pre_hook(self._before(name)))
            handles.append(module.register_forward_hook(self._after(name)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _before(self, name: str) -> Callable[[nn.Module, Any], None]:
        def note(_module: nn.Module, _given: Any) -> None:
            self._inside.append(name)

        return note

    def _after(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def note(_module: nn.Module, _given: Any, made: Any) -> None:
            self._inside.pop()
            first = made[0] if isinstance(made, tuple) and made else made
            self._made.append((name, first.grad_fn if isinstance(first, Tensor) else None))

        return note

    def _computed(self, activation: str) -> None:
        self.activations[activation] += 1
        here = self.kinds[self._inside[-1]] if self._inside else ""
        self.functional_relus += activation == "relu" and here != "ReLU"


class _Activations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tells the name of each activation that is computed within it.

    Operations are seen where they are dispatched, so that those of scripted and checkpointed parts
    are seen, and those in place on a view, which autograd's graph hides.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tell = tell

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = _activation(func.overloadpacket.__name__, args, kwargs or {})
        if name is not None:
            self._tell(name)
        return func(*args, **(kwargs or {}))


def _activation(called: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    """Return the name of an activation; None for other operations.

    Clamping at another value from below is none: so that a norm is not zero, say.
    """
    bare = called.rstrip("_")
    low, high = (*args[1:3], None, None)[:2]
    low, high = kwargs.get("min", low), kwargs.get("max", high)
    if bare in ("clamp", "clamp_min", "threshold"):
        if bare == "clamp" and high is not None:
            return None if low is None else "hardtanh"
        return "relu" if _zero(low) else None
    if bare == "maximum":
        return "relu" if any(_zero(each) for each in args) else "maximum"
    if bare == "mul":
        # A product with true and false: of the input, x * (x > 0) say.
        masks = any(isinstance(each, Tensor) and each.dtype is torch.bool for each in args)
        return "mask" if masks else None
    starts = ((name, start) for name, all_ in _ACTIVATIONS.items() for start in all_)
    return next((name for name, start in starts if called.startswith(start)), None)


def _zero(value: Any) -> bool:
    if isinstance(value, Tensor):
        return not value.requires_grad and not value.any()
    return value is not None and value == 0


def _leaves(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules without children, by name; what only makes weights is none, nor a child."""
    opaque: list[str] = []
    for name, module in model.named_modules():
        if any(name.startswith(outer) for outer in opaque):
            continue
        scripted = isinstance(module, torch.jit.ScriptModule)
        if scripted or not {each for each, _ in module.named_children()} - {"parametrizations"}:
            opaque.append(f"{name}." if name else "")
            yield name, module


def _kind(module: nn.Module) -> str:
    own = type(module)
    return (
        own.__name__
        if own.__module__.startswith("torch.nn.")
        else f"{own.__module__}.{own.__name__}"
    )


def _behind(answer: Tensor) -> set[Any]:
    """Return the nodes of autograd's graph that the gradient of `answer` goes through.

    With frozen weights the graph holds what depends on the image, and nothing else.
    """
    seen: set[Any] = set()
    wanted = [answer.grad_fn]
    while wanted:
        node = wanted.pop()
        if node is not None and node not in seen:
            seen.add(node)
            wanted += [following for following, _ in node.next_functions]
    return seen


def _described(node: Any) -> tuple[str, bool]:
    """Return the name of an operation, and whether it is linear in what its gradient goes to."""
    name = re.sub(r"Backward\d*$", "", node.name().rpartition("::")[2])
    goes_to = [each is not None for each, _ in node.next_functions]
    if name.removeprefix("Mkldnn") in _PRODUCTS:
        return name, sum(goes_to) < 2
    if name == "Div":
        return name, not any(goes_to[1:])
    return name, name in _LINEAR

"""What a network is made of and what it calls when it answers, for methods that rest on either.

Captum's hooks sit on modules: what a network computes without one, or calls twice, they miss.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from engine.networks.inference import frozen
from engine.networks.stochastic import draws_of

_RELU = ("Relu", "Threshold")
_LINEAR = """
    AccumulateGrad Add Sub Rsub Neg T Transpose Permute Movedim View ReshapeAlias UnsafeView Squeeze
    Unsqueeze Expand Repeat Cat Stack Slice Select Index Gather Split SplitWithSizes Unbind Clone
    Copy CopyBackwards ToCopy Alias AsStrided Unfold Flip Roll Mean Sum AvgPool2D AdaptiveAvgPool2D
    NativeBatchNorm CudnnBatchNorm ConstantPadNd ReflectionPad2D ReplicationPad2D UpsampleNearest2D
    UpsampleBilinear2D UpsampleBilinear2DAa UpsampleBicubic2D UpsampleBicubic2DAa
"""
"""Operations that are linear, up to a constant, in what their gradient goes to."""
_PRODUCTS = "Mul Mm Bmm Mv Addmm Baddbmm Linear Convolution MkldnnConvolution"
"""These are where one factor is constant, as frozen weights are."""


@dataclass(frozen=True)
class Structure:
    """What was seen when a network answered once.

    Attributes:
        calls: how often each module without children was called, by its name in the network.
        kinds: its class, by the same names: "ReLU".
        relu_operations: rectifiers that the answer's gradient goes through, in modules or not.
        nonlinear: how many operations that are not linear it goes through, rectifiers included, in
            modules or not, by PyTorch's name: "Relu", "MaxPool2DWithIndices". An operation that is
            not known to be linear counts as one that is not.
        draws: how many answers a network that draws at random is averaged over; else 1.
    """

    calls: dict[str, int]
    kinds: dict[str, str]
    relu_operations: int
    nonlinear: dict[str, int] = field(default_factory=dict)
    draws: int = 1

    def named(self, *kinds: str) -> list[str]:
        """Return the names of the called modules of these classes."""
        return [name for name in self.calls if self.kinds[name] in kinds]

    @property
    def reused(self) -> list[str]:
        """The names of the modules that were called more than once."""
        return [name for name, times in self.calls.items() if times > 1]

    @property
    def functional_relus(self) -> int:
        """How many rectifiers are no module's."""
        return self.relu_operations - sum(self.calls[name] for name in self.named("ReLU"))


def of(model: nn.Module, x: Tensor) -> Structure:
    """Return what `model` is made of, asked on images x (N, C, H, W); it is left as found."""
    names = {module: name for name, module in model.named_modules()}
    calls: Counter[str] = Counter()

    def note(module: nn.Module, *_: object) -> None:
        calls[names[module]] += 1

    leaves = [module for module in names if not any(True for _ in module.children())]
    handles = [leaf.register_forward_hook(note) for leaf in leaves]
    try:
        with frozen(model), torch.enable_grad():
            answer = model(x.detach().clone().requires_grad_(True))
    finally:
        for handle in handles:
            handle.remove()
    kinds = {names[leaf]: type(leaf).__name__ for leaf in leaves}
    nodes = _operations(answer)
    rectifiers = sum(name.startswith(_RELU) for name, _ in nodes)
    bent = Counter(name for name, linear in nodes if not linear)
    return Structure(dict(calls), kinds, rectifiers, dict(bent), draws_of(model))


def _operations(answer: Tensor) -> list[tuple[str, bool]]:
    """Return the operations that the gradient of `answer` goes through, and which are linear."""
    seen: set[object] = set()
    wanted, found = [answer.grad_fn], []
    while wanted:
        node = wanted.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        following = [each for each, _ in node.next_functions]
        found.append(_operation(node.name(), [each is not None for each in following]))
        wanted += following
    return found


def _operation(node: str, goes_to: list[bool]) -> tuple[str, bool]:
    """Return the name of an operation, and whether it is linear in what its gradient goes to."""
    name = re.sub(r"Backward\d*$", "", node.rpartition("::")[2])
    if name in _PRODUCTS.split():
        return name, sum(goes_to) < 2
    if name == "Div":
        return name, not any(goes_to[1:])
    return name, name in _LINEAR.split()

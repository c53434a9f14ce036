"""What a network is made of and what it calls when it answers, for methods that rest on either.

Captum's hooks sit on modules: what a network computes without one, or calls twice, they miss.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.networks.inference import frozen

_RELU = ("ReluBackward", "ThresholdBackward")


@dataclass(frozen=True)
class Structure:
    """What was seen when a network answered once.

    Attributes:
        calls: how often each module without children was called, by its name in the network.
        kinds: its class, by the same names: "ReLU".
        relu_operations: rectifiers that the answer's gradient goes through, in modules or not.
    """

    calls: dict[str, int]
    kinds: dict[str, str]
    relu_operations: int

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
        return self.relu_operations - sum(self.calls[name] for name in self.named("ReLU", "ReLU6"))


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
    return Structure(dict(calls), kinds, _operations(answer, _RELU))


def _operations(answer: Tensor, kinds: tuple[str, ...]) -> int:
    """Return how many nodes of these kinds the gradient of `answer` goes through."""
    seen, wanted, found = set(), [answer.grad_fn], 0
    while wanted:
        node = wanted.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        found += node.name().startswith(kinds)
        wanted += [following for following, _ in node.next_functions]
    return found

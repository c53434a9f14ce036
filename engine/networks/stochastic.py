"""A network that draws at random when it answers, as the function that it is on average.

Athalye, Engstrom, Ilyas & Kwok (2018), "Synthesizing robust adversarial examples": what an attack
has to follow is the expectation over the draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

_SEED = 0x5EED
_OWN = "network."


class Expectation(nn.Module):
    """log of the mean over `draws` of softmax(network(x)), in evaluation mode.

    Every image is asked on its own, with torch's generators started by one constant seed: the
    answer is the same each time and does not depend on the batch an image is in. Gradients flow
    through all draws. In training mode it is the network itself. An answer costs `draws` answers
    of the network, and as much memory where it is differentiated.

    Its state dict is that of the network, under the same names.

    Args:
        network: draws from torch's generators in evaluation mode.
        draws: how many answers are averaged, at least 2.
    """

    def __init__(self, network: nn.Module, draws: int) -> None:
        super().__init__()
        self.network = network
        self.draws = draws
        self.averaged = True
        self.register_state_dict_post_hook(_leave_out)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_put_in)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor) -> Tensor:
        """Return log-probabilities (N, K) of images (N, C, H, W); in training mode logits."""
        if self.training or not self.averaged:
            logits: Tensor = self.network(x)
            return logits
        return torch.cat([self._one(x[i : i + 1]) for i in range(len(x))])

    def _one(self, image: Tensor) -> Tensor:
        devices = [image.device] if image.is_cuda else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(_SEED)
            logits = self.network(image.expand(self.draws, -1, -1, -1).contiguous())
        log_p: Tensor = logits.log_softmax(1)
        return log_p.logsumexp(0, keepdim=True) - math.log(self.draws)

    def extra_repr(self) -> str:
        """Return the number of draws."""
        return f"draws={self.draws}"


def draws_of(model: nn.Module) -> int:
    """Return how many draws make an answer of `model`: 1 where it is not averaged."""
    found = (each.draws for each in model.modules() if isinstance(each, Expectation))
    return next(found, 1)


@contextmanager
def one_draw(model: nn.Module) -> Iterator[None]:
    """Within it, an answer of `model` is a single draw, from the generators as they are."""
    averaging = [each for each in model.modules() if isinstance(each, Expectation)]
    for each in averaging:
        each.averaged = False
    try:
        yield
    finally:
        for each in averaging:
            each.averaged = True


def _leave_out(_module: nn.Module, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    _renamed(state, prefix + _OWN, prefix)


def _put_in(_module: nn.Module, state: dict[str, Any], prefix: str, *_rest: Any) -> None:
    _renamed(state, prefix, prefix + _OWN)


def _renamed(state: dict[str, Any], before: str, after: str) -> None:
    """Rename the entries of `state` whose names begin with `before`, in place and in order."""
    items: Mapping[str, Any] = dict(state)
    state.clear()
    for name, value in items.items():
        state[after + name[len(before) :] if name.startswith(before) else name] = value

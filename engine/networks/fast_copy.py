"""An equivalent copy of a network that answers faster and gives its input gradient faster."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engine.errors import UsageError, said
from engine.networks.inference import frozen
from engine.networks.spaces import StepLayer

_CLOSE = 1e-4
"""How far the copy's logits may be from the network's, as a share of the largest."""

_prepared: WeakSet[nn.Module] = WeakSet()


def prepare(model: nn.Module, x: Tensor) -> nn.Module:
    """Return a copy of `model` that is the same function, up to rounding, and is faster.

    In evaluation mode with frozen weights; each BatchNorm is folded into the convolution or
    linear layer before it, max-pooling comes before the ReLU that it follows (a quarter of the
    work, the same values and gradients), and convolutions compute in channels_last. Which layers
    follow one another is read off a symbolic trace. Where none can be made, as with control flow
    that depends on the data, and where the result does not give the network's logits, the layers
    stay as they are; where the network takes a view that channels_last does not have
    (`x.view(N, -1)` behind a convolution), so does the layout of its weights.

    A copy holds the weights as they are now: make another when they changed. A copy is not copied
    again: to attack many batches, prepare once and give the copy to each attack.

    Args:
        model: any network; it is left as found.
        x: some images that it takes (N, C, H, W), N >= 1; the logits of the first two are
            compared.

    Raises:
        UsageError: the network cannot be copied.
    """
    if model in _prepared:
        return model
    for made in _candidates(model):
        if _agree(made, model, x[:2]):
            break
    else:
        made = _copy(model)
    _prepared.add(made)
    return made


def _candidates(model: nn.Module) -> Iterator[nn.Module]:
    """Yield copies, the fastest first, that may turn out not to be the same function."""
    for rewrite in (True, False):
        made = _copy(model)
        if rewrite and not _rewritten(made):
            continue
        try:
            made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        except RuntimeError:  # a weight of five dimensions
            continue
        yield made


def _copy(model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model).eval().requires_grad_(False)
    except Exception as error:
        raise UsageError(
            f"prepare: {type(model).__name__} cannot be copied ({said(error)}); leave prepare false"
        ) from error


def _agree(made: nn.Module, model: nn.Module, x: Tensor) -> bool:
    x = x.clone(memory_format=torch.contiguous_format)
    with frozen(model), torch.no_grad():
        expected = model(x.clone())
        try:
            found = made(x)
        except Exception:  # it looks into a layer that is another now, or takes a view
            return False
        return bool((found - expected).abs().max() <= _CLOSE * expected.abs().max())


class _Tracer(fx.Tracer):
    """Follows the network and not the arithmetic of its preprocessing."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, StepLayer) or super().is_leaf_module(m, module_qualified_name)


def _rewritten(network: nn.Module) -> bool:
    """Fold and reorder the layers of `network` in place; return whether there was a trace."""
    try:
        graph = _Tracer().trace(network)
    except Exception:  # a network of one's own may do anything
        return False
    calls = [node for node in graph.nodes if node.op == "call_module"]
    uses = Counter(node.target for node in calls)
    # Weights that are also used elsewhere than in their layer.
    shared = {node.target.rpartition(".")[0] for node in graph.nodes if node.op == "get_attr"}
    for node in calls:
        before = node.args[0] if len(node.args) == 1 else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        names = [str(before.target), str(node.target)]
        pair: list[Any] = [network.get_submodule(name) for name in names]
        if any(uses[n] > 1 or n in shared for n in names) or any(map(_has_hooks, pair)):
            continue
        first, second = pair
        match (type(first), type(second)):
            case (nn.Conv2d, nn.BatchNorm2d) | (nn.Linear, nn.BatchNorm1d):
                # A norm behind a linear layer can be over rows, of which there are as many or not.
                if second.running_mean is not None and len(first.weight) == second.num_features:
                    _put(network, names[0], _folded(first, second))
                    _put(network, names[1], nn.Identity())
            case (nn.ReLU, nn.MaxPool2d) if not second.return_indices:
                _put(network, names[0], second)
                _put(network, names[1], first)
    return True


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks)


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, module)


def _folded(layer: Any, norm: Any) -> Any:
    """Return the convolution or linear `layer` with the effect of the BatchNorm `norm` behind it.

    In double precision, so that only the result is rounded. A linear layer is folded as a
    convolution is: `fuse_linear_bn_eval` takes no BatchNorm without weights.
    """
    exact = [copy.deepcopy(part).double() for part in (layer, norm)]
    return fuse_conv_bn_eval(*exact).to(layer.weight.dtype)

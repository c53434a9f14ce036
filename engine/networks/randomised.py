"""A network whose layers are drawn anew from the top down: it has learned nothing there.

Adebayo et al. (2018), "Sanity checks for saliency maps": a map that stays the same does not depend
on what the network has learned.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from engine import seeds
from engine.errors import UsageError, said


def layers(model: nn.Module) -> list[str]:
    """Return the names of the modules that have learned something of their own, the top first.

    In the reverse order of their registration, which for nearly all networks is that of their
    calls; a normalisation without weights counts, since it has statistics.
    """
    named = [name for name, module in model.named_modules() if _learns(module)]
    return named[::-1]


def randomised(model: nn.Module, down_to: str | None = None, seed: int = 0) -> nn.Module:
    """Return a copy of `model` whose layers are drawn anew, from the logits down.

    A layer that can is initialised as its class does it (`reset_parameters`, which resets the
    statistics of a BatchNorm too); the weights of others are drawn from the normal distribution of
    their own mean and standard deviation. So a lone scale stays as it is.

    Each layer has a generator of its own: what it is drawn as does not depend on how many are, so
    that cascades are nested.

    Args:
        model: in any mode; it is left as found, and so is the global random generator.
        down_to: the last of `layers` that is drawn; None means all of them.
        seed: of the draw.

    Returns:
        The copy, in evaluation mode with frozen weights, where the model is.

    Raises:
        UsageError: there is no such layer, or the network cannot be copied.
    """
    from engine.networks.inference import device_of

    names = layers(model)
    if down_to is not None and down_to not in names:
        raise UsageError(f"the network has no layer {down_to!r}; from the top: {', '.join(names)}")
    device = device_of(model)
    try:
        made = copy.deepcopy(model).cpu()
    except Exception as error:
        raise UsageError(
            f"{type(model).__name__} cannot be copied ({said(error)}), so that its weights cannot "
            "be drawn anew"
        ) from error
    modules = dict(made.named_modules())
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for name in names:
            torch.manual_seed(seeds.derive(seed, "randomised", name))
            _draw(modules[name])
            if name == down_to:
                break
    return made.eval().requires_grad_(False).to(device)


def _learns(module: nn.Module) -> bool:
    own = any(weight.is_floating_point() for weight in module.parameters(recurse=False))
    return own or (isinstance(module, _NormBase) and module.track_running_stats)


def _draw(module: nn.Module) -> None:
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
        return
    for weight in module.parameters(recurse=False):
        if weight.is_floating_point():
            own = weight.double()
            drawn = torch.randn(weight.shape, dtype=torch.float64) * own.std(correction=0)
            weight.copy_(drawn + own.mean())

"""Whether a method applies to a network: what the network is made of, then a trial."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from engine.errors import NotFiniteError, said
from engine.networks import inference, memory, structure
from engine.networks.inference import copied, device_of, frozen
from engine.networks.structure import Structure
from engine.saliency._attribution import Attribution
from engine.saliency._explained import Scalar
from engine.saliency._fit import Fit, Reason, UnfitError
from engine.saliency._target import Target

if TYPE_CHECKING:
    from engine.saliency import SaliencyMethod

_IMAGES = slice(0, 2)
_EQUAL = 1e-6
"""Maps whose largest difference is below this share of the largest value are the same."""


def fit(
    method: SaliencyMethod,
    model: nn.Module,
    images: NDArray[np.float32],
    target: Target,
    *,
    seeds: NDArray[np.int64],
    baseline: NDArray[np.float32] | None,
) -> Fit:
    """Return the verdict; see `SaliencyMethod.fit`."""
    asked, explained = images[_IMAGES], target.of(_IMAGES)
    found = Fit(tuple(_by_structure(method, model, asked)))
    if found.verdict == "refused":
        return found
    try:
        with torch.random.fork_rng(devices=[]):
            tried = method.attribute(
                model,
                asked,
                explained,
                seeds=seeds[_IMAGES],
                baseline=None if baseline is None else baseline[_IMAGES],
            )
    except NotFiniteError as error:
        inference.logits(model, asked)
        _gradient(model, asked, explained)  # raises where the network is at fault, not the method
        return found.also(Reason("not_finite", f"what it gives is not finite: {said(error)}"))
    except UnfitError as error:
        return found.also(error.reason)
    except Exception as error:
        if memory.ran_out(error):
            raise
        return found.also(Reason("raises", f"it cannot be computed: {said(error)}"))
    wrong = _of_shape(tried, asked)
    return found.also(*(wrong or _of_values(method, tried, model, asked, explained)))


def _by_structure(
    method: SaliencyMethod, model: nn.Module, images: NDArray[np.float32]
) -> list[Reason]:
    """Return why not, by what the network is made of; one reason of each code."""
    from engine.saliency import SaliencyMethod

    # A null map of a guided method rests on what that rests on.
    guided = any(getattr(each, "guided", False) for each in (method, *method.made_of()))
    if not guided and type(method).unfit is SaliencyMethod.unfit:
        return []
    try:
        seen = structure.of(model, copied(images, device_of(model)))
    except Exception as error:
        if memory.ran_out(error):
            raise
        inference.logits(model, images)  # raises where it does not answer unwatched either
        return [Reason("raises", f"what the network is made of cannot be seen: {said(error)}")]
    reasons: dict[str, Reason] = {}
    for reason in (*method.unfit(seen), *(_rectified(seen) if guided else ())):
        reasons.setdefault(reason.code, reason)
    return list(reasons.values())


def _rectified(seen: Structure) -> Iterator[Reason]:
    """Yield why a rule for ReLU modules would leave the gradient plain, in part or as a whole."""
    relus = seen.relu_operations
    if not seen.named("ReLU"):
        also = f", and {seen.functional_relus} rectifiers in none" if seen.functional_relus else ""
        says = f"the network has no ReLU modules{also}: the map would be the plain gradient"
        yield Reason("no_relu_modules", says)
    elif seen.functional_relus:
        yield Reason(
            "functional_relus",
            f"{seen.functional_relus} of {relus} rectifiers are functions and no modules of the "
            "class ReLU: there the gradient would be the plain one",
        )
    elif seen.other_activations:
        words = ", ".join(f"{name} ({n})" for name, n in sorted(seen.other_activations.items()))
        says = f"there are activations that are no rectifiers: {words}; there the gradient is plain"
        yield Reason("other_activations", says, refuses=False)


def _of_shape(tried: Attribution, images: NDArray[np.float32]) -> list[Reason]:
    """Return why what a method gave are no maps of the images."""
    maps = tried.maps
    shape = "x".join(map(str, maps.shape))
    if not maps.size:
        return [Reason("empty", f"what it gives is empty ({shape})")]
    whole = maps.ndim == 4 and len(maps) == len(images) and maps.shape[1] in (1, images.shape[1])
    if not whole or min(maps.shape[2:]) < 2:
        return [Reason("no_map", f"what it gives ({shape}) has no height and width")]
    if maps.shape[2:] != images.shape[2:] and tried.upsampling == "none":
        return [Reason("no_map", f"what it gives ({shape}) has not the height and width of images")]
    return []


def _of_values(
    method: SaliencyMethod,
    tried: Attribution,
    model: nn.Module,
    images: NDArray[np.float32],
    target: Target,
) -> list[Reason]:
    """Return what speaks against maps by their values."""
    if not tried.maps.any():
        says = "every map that was tried is zero in every pixel: to this method the network is flat"
        return [Reason("blank", says, refuses=False)]
    if not method.guided:
        return []
    plain = _gradient(model, images, target)
    apart = np.abs(tried.maps - plain).max() if plain.shape == tried.maps.shape else np.inf
    if apart > _EQUAL * np.abs(plain).max():
        return []
    return [Reason("plain_gradient", "what it gives is the plain gradient: nothing is guided")]


def _gradient(model: nn.Module, images: NDArray[np.float32], target: Target) -> NDArray[np.float32]:
    """Return the gradient (N, C, H, W) of what is explained.

    Raises:
        NotFiniteError: it is NaN or infinite somewhere.
    """
    device = device_of(model)
    with frozen(model), torch.enable_grad():
        x = copied(images, device).requires_grad_(True)
        against = None if target.against is None else copied(target.against, device)
        scalar = Scalar(model)(x, copied(target.classes, device), against)
        (gradient,) = torch.autograd.grad(scalar.sum(), x)
    found: NDArray[np.float32] = inference.looked_at(gradient.cpu(), inference.GRADIENT).numpy()
    return found

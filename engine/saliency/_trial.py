"""Whether a method applies to a network: what the network is made of, then a trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from engine.errors import NotFiniteError, said
from engine.networks import memory, structure
from engine.networks.inference import copied, device_of
from engine.saliency._fit import Fit, Reason, UnfitError
from engine.saliency._target import Target

if TYPE_CHECKING:
    from engine.saliency import SaliencyMethod

_IMAGES = slice(0, 2)


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
    asked = images[_IMAGES]
    found = Fit(tuple(method.unfit(structure.of(model, copied(asked, device_of(model))))))
    if found.verdict == "refused":
        return found
    try:
        with torch.random.fork_rng(devices=[]):
            tried = method.attribute(
                model,
                asked,
                target.of(_IMAGES),
                seeds=seeds[_IMAGES],
                baseline=None if baseline is None else baseline[_IMAGES],
            )
    except NotFiniteError:
        raise  # the network's fault, and not the method's
    except UnfitError as error:
        return found.also(error.reason)
    except Exception as error:
        if memory.ran_out(error):
            raise
        return found.also(Reason("raises", f"it cannot be computed: {said(error)}"))
    return found.also(*_of_shape(tried.maps, asked))


def _of_shape(maps: NDArray[np.float32], images: NDArray[np.float32]) -> list[Reason]:
    """Return why what a method gave are no maps of the images."""
    shape = "x".join(map(str, maps.shape))
    if not maps.size:
        return [Reason("empty", f"what it gives is empty ({shape})")]
    whole = maps.ndim == 4 and len(maps) == len(images) and maps.shape[1] in (1, images.shape[1])
    if not whole or min(maps.shape[2:]) < 2:
        return [Reason("no_map", f"what it gives ({shape}) has no height and width")]
    return []

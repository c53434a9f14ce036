"""What the last hidden layer looks like: spectrum, effective rank, distance to the boundary.

Nar et al. (2019) trace small margins to penultimate features that lie near a low-dimensional affine
set. Only `penultimate` needs torch; the rest takes arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.errors import PlausiblyError

if TYPE_CHECKING:
    from torch import Tensor, nn


def penultimate(model: nn.Module, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the final linear layer gets, (N, D), for float32 images (N, C, H, W) in [0, 1].

    The network runs in evaluation mode and is left as found.

    Raises:
        PlausiblyError: no linear layer gives the logits; see `engine.networks.inference.head`.
    """
    import torch

    from engine.networks import inference

    layer = inference.head(model, images)
    if layer is None:
        raise PlausiblyError(no_head(model))
    seen: list[Tensor] = []

    def keep(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0])

    # How many images fit is found with passes of its own, which the hook must not see.
    inference.logits(model, images[:2])
    handle = layer.register_forward_pre_hook(keep)
    try:
        inference.logits(model, images)
    finally:
        handle.remove()
    return torch.cat(seen).cpu().numpy()


def no_head(model: nn.Module) -> str:
    """Return why `model` has no penultimate features, for one without a final linear layer."""
    from engine.networks.stochastic import draws_of

    draws = draws_of(model)
    if draws > 1:
        return f"the network's answer is a mean over {draws} draws, which no single layer gives"
    return "the network has no linear layer (nn.Linear) whose output is its logits"


def singular_values(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the singular values of the centred features (N, D): min(N, D) of them, descending.

    In the features' unit; they grow as sqrt(N), so compare only equal N.
    """
    exact = features.astype(np.float64)
    return np.asarray(np.linalg.svd(exact - exact.mean(0), compute_uv=False), dtype=np.float64)


def effective_rank(values: NDArray[np.floating]) -> float:
    """Return exp(-sum_k p_k log p_k) with p_k = sigma_k / sum_l sigma_l, for singular values (K,).

    Roy & Vetterli (2007), "The effective rank: a measure of effective dimensionality": between 1
    and the rank, equal to it when all non-zero values are equal, whatever their scale. They leave
    the zero matrix out; its effective rank here is 0.
    """
    exact = values.astype(np.float64)
    largest = exact.max(initial=0.0)
    if largest == 0:
        return 0.0
    share = exact / largest
    share = share[share > 0] / share.sum()
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))


def margins(
    features: NDArray[np.floating],
    labels: NDArray[np.int64],
    weight: NDArray[np.floating],
    bias: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Return each point's signed distance (N,) to its nearest boundary, in feature space.

    min over k != y of ((w_y - w_k) . phi + b_y - b_k) / ||w_y - w_k||, in the features' unit;
    negative where the head is wrong. The head's margin is the smallest of them. It says something
    of the input space only together with how much the layers before stretch.

    Args:
        features: (N, D).
        labels: int64 (N,).
        weight: of the linear head, (K, D).
        bias: of the linear head, (K,).

    Raises:
        PlausiblyError: two classes have equal weights: there is no boundary between them.
    """
    phi, w, b = (a.astype(np.float64) for a in (features, weight, bias))
    # Row by row: with a thousand classes all differences at once would be gigabytes.
    apart = np.stack([np.linalg.norm(row - w, axis=1) for row in w])
    others = ~np.eye(len(w), dtype=bool)
    if (apart[others] == 0).any():
        raise PlausiblyError("the head has two classes of equal weights, so no margin; train it")
    score = phi @ w.T + b
    rows = np.arange(len(labels))
    gap = score[rows, labels][:, None] - score
    distance = np.full_like(gap, np.inf)
    valid = others[labels]
    distance[valid] = gap[valid] / apart[labels][valid]
    return np.asarray(distance.min(1), dtype=np.float64)

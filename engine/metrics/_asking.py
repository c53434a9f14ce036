"""What a network answers to changed images: the scalar that maps explain, and the probability."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.metrics._given import Given


def scalar(given: Given, images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what is explained of images (N, C, H, W), float64 (N,).

    The logit of each one's class, less that of the class that it is explained against.
    """
    from engine.networks import inference

    assert given.network is not None
    assert given.target is not None
    logits = inference.logits(given.network, images).double().numpy()
    rows = np.arange(len(logits))
    found: NDArray[np.float64] = logits[rows, given.target.classes]
    against = given.target.against
    return found if against is None else found - logits[rows, against]


def probability(given: Given, images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the softmax probability (N,) of each image's class."""
    from engine.networks import inference

    assert given.network is not None
    assert given.target is not None
    p = inference.logits(given.network, images).double().softmax(1).numpy()
    found: NDArray[np.float64] = p[np.arange(len(p)), given.target.classes]
    return found

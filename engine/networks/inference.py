"""Reading a network without leaving a trace on it, and running it over many images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.errors import UsageError

BATCH = 256
D = TypeVar("D", bound=np.generic)


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Put `model` into evaluation mode with frozen weights; give it back exactly as it was.

    The mode is kept per module (a network may have single modules in evaluation mode), and
    frozen weights gather no `.grad`. Others leave BatchNorm statistics or gradients changed,
    which adversarial training then steps on.
    """
    modes = [(module, module.training) for module in model.modules()]
    wants = [(weight, weight.requires_grad) for weight in model.parameters()]
    model.eval()
    for weight, _ in wants:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for weight, wanted in wants:
            weight.requires_grad_(wanted)


def device_of(model: nn.Module) -> torch.device:
    """Return where the network's weights lie; the CPU when it has none."""
    return next((weight.device for weight in model.parameters()), torch.device("cpu"))


def logits(model: nn.Module, images: NDArray[np.float32]) -> Tensor:
    """Return logits (N, K), on the CPU, of float32 images (N, C, H, W) in [0, 1]."""
    device = device_of(model)
    with frozen(model), torch.inference_mode():
        parts = [model(torch.from_numpy(part).to(device)).cpu() for part in batches(images)]
        return torch.cat(parts)


def gradient_norms(model: nn.Module, images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return ||grad_x H(k, f(x))||_2, (N, K), for every image and label k.

    Norms of gradients with respect to pixels in [0, 1], in nats a pixel range. An exact zero
    is what a masked model gives in float32.
    """
    norms = []
    with frozen(model):
        for part in batches(images):
            x = torch.from_numpy(part).to(device_of(model)).requires_grad_(True)
            log_p = model(x).log_softmax(1)
            columns = []
            for k in range(log_p.shape[1]):
                (gradient,) = torch.autograd.grad(log_p[:, k].sum(), x, retain_graph=True)
                # In float64: squares of a masked model's tiny gradients would underflow to zero.
                columns.append(gradient.flatten(1).double().norm(dim=1))
            norms.append(torch.stack(columns, 1).cpu())
    return torch.cat(norms).numpy()


def predict(
    model: nn.Module, images: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the predicted class (N,) and its softmax probability (N,) for each image."""
    confidence, label = logits(model, images).softmax(1).max(1)
    return label.numpy(), confidence.numpy()


def head(model: nn.Module) -> nn.Linear:
    """Return the final linear layer: the last registered module without children.

    Raises:
        UsageError: that module is of another type.
    """
    last = [module for module in model.modules() if not list(module.children())][-1]
    if not isinstance(last, nn.Linear):
        raise UsageError(
            f"the network ends in {type(last).__name__}, not in a linear layer; make an "
            "nn.Linear that gives the logits its last module"
        )
    return last


def batches(array: NDArray[D]) -> list[NDArray[D]]:
    """Cut an array into parts of at most `BATCH` along the first axis."""
    return [array[start : start + BATCH] for start in range(0, len(array), BATCH)]


def input_gradient(loss: Tensor, x: Tensor) -> Tensor:
    """Return d loss / d x for a loss summed over the batch; the weights' `.grad` are left alone."""
    (gradient,) = torch.autograd.grad(loss, x)
    return gradient

"""Reading a network without leaving a trace on it, and running it over many images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.errors import NotFiniteError
from engine.networks import memory
from engine.networks.memory import BATCH, Work

D = TypeVar("D", bound=np.generic)
LOGIT, GRADIENT = "a logit", "an input gradient"
"""What is looked at, as messages call it."""
_on_device: ContextVar[list[tuple[str, Tensor]] | None] = ContextVar("_on_device", default=None)
"""What was looked at on a GPU, and whether it was finite, for `finite` to read all at once."""
MOST_CLASSES = 20
"""Up to so many classes the gradient norm of every one is measured."""
FEW_CLASSES = 10
"""Of how many it is where there are more."""


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
    """Return logits (N, K), on the CPU, of float32 images (N, C, H, W) in [0, 1].

    Raises:
        NotFiniteError: one is NaN or infinite.
    """
    device = device_of(model)
    with frozen(model):
        walk = parts(model, images, work="answers")
        with torch.inference_mode():
            found = torch.cat([model(copied(part, device)).cpu() for (part,) in walk])
    _require_finite(found, LOGIT)
    return found


def gradient_norms(
    model: nn.Module, images: NDArray[np.float32], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return ||grad_x H(k, f(x))||_2, (N, K), for every image and label k.

    Norms of gradients with respect to pixels in [0, 1], in nats a pixel range. An exact zero
    is what a masked model gives in float32.

    Every label takes a backward pass. With more than `MOST_CLASSES` there are `FEW_CLASSES` of
    them for each image: its own label, the model's answer (the second choice where that is the
    label), and others at even distances from the label. The rest is NaN: not measured.
    """
    norms = []
    device = device_of(model)
    with frozen(model), finite():
        for part, label in parts(model, images, labels, work="gradients"):
            x = copied(part, device).requires_grad_(True)
            log_p = model(x).log_softmax(1)
            chosen = _measured(log_p.detach(), torch.from_numpy(label).to(device))
            columns = []
            for which in chosen.T:
                of = torch.zeros_like(log_p).scatter(1, which[:, None], 1)
                (gradient,) = torch.autograd.grad(log_p, x, of, retain_graph=True)
                looked_at(gradient, GRADIENT)
                # In float64: squares of a masked model's tiny gradients would underflow to zero.
                columns.append(gradient.flatten(1).double().norm(dim=1))
            found = torch.full(log_p.shape, torch.nan, dtype=torch.float64, device=device)
            norms.append(found.scatter(1, chosen, torch.stack(columns, 1)).cpu())
    return torch.cat(norms).numpy()


def _measured(log_p: Tensor, labels: Tensor) -> Tensor:
    """Return for each image the labels (N, M) whose gradients are measured, each once."""
    images, classes = log_p.shape
    if classes <= MOST_CLASSES:
        return torch.arange(classes, device=log_p.device).expand(images, classes)
    rivals = log_p.scatter(1, labels[:, None], -torch.inf).argmax(1)
    # The rival's own place among the others, of which as many as are wanted are spread over it.
    away = (rivals - labels) % classes
    steps = torch.arange(FEW_CLASSES - 1, device=log_p.device) * (classes - 1) // (FEW_CLASSES - 1)
    others = (away[:, None] - 1 + steps) % (classes - 1) + 1
    return torch.cat([labels[:, None], (labels[:, None] + others) % classes], 1)


def predict(
    model: nn.Module, images: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the predicted class (N,) and its softmax probability (N,) for each image."""
    confidence, label = logits(model, images).softmax(1).max(1)
    return label.numpy(), confidence.numpy()


def copied(images: NDArray[D], device: torch.device) -> Tensor:
    """Return images as a contiguous tensor of its own, which a network may write into."""
    return torch.from_numpy(images).contiguous().to(device, copy=True)


def head(model: nn.Module, images: NDArray[np.float32]) -> nn.Linear | None:
    """Return the linear layer whose output is the logits, None where there is none.

    Found by asking on some images, and not by its place among the modules. None also for a
    network whose answer is a mean over draws: no single layer gives it.

    Args:
        model: in any mode; it is left as found.
        images: float32 (N, C, H, W) in [0, 1], N >= 1; the first two are asked.
    """
    given: list[tuple[nn.Linear, Tensor]] = []

    def note(layer: nn.Module, _inputs: object, output: Tensor) -> None:
        assert isinstance(layer, nn.Linear)
        # What is done to the output in place afterwards makes other logits of it.
        given.append((layer, output.detach().clone()))

    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    handles = [layer.register_forward_hook(note) for layer in layers]
    try:
        with frozen(model), torch.no_grad():
            answer = model(copied(images[:2], device_of(model)))
    finally:
        for handle in handles:
            handle.remove()
    return next((layer for layer, output in reversed(given) if torch.equal(output, answer)), None)


def parts(model: nn.Module, *arrays: NDArray[Any], work: Work) -> Iterator[tuple[Any, ...]]:
    """Cut arrays along the first axis into parts that `model` is given at a time.

    At most `BATCH` images, fewer where the memory budget of the job asks for it
    (`engine.networks.memory`): last bits may depend on it.

    Args:
        model: a network; it is left as found.
        arrays: images (N, C, H, W) first, and what belongs to them.
        work: what is done with a part.
    """
    images = arrays[0]
    size = batch_size(model, images, work=work)
    for start in range(0, len(images), size):
        yield tuple(array[start : start + size] for array in arrays)


def batch_size(model: nn.Module, images: NDArray[Any], *, work: Work) -> int:
    """Return how many of these images `model` is given at a time; see `parts`."""
    applied = memory.applied()
    if applied is None or not len(images):
        return BATCH
    with frozen(model):
        return applied.batch(model, copied(images[:2], device_of(model)), work)


def input_gradient(loss: Tensor, x: Tensor) -> Tensor:
    """Return d loss / d x for a loss summed over the batch; the weights' `.grad` are left alone.

    Raises:
        NotFiniteError: it is NaN or infinite somewhere. On a GPU, where looking would mean
            waiting, `finite` raises it at its end, if it is asked within one.
    """
    (gradient,) = torch.autograd.grad(loss, x)
    return looked_at(gradient, GRADIENT)


def looked_at(values: Tensor, what: str) -> Tensor:
    """Return logits or input gradients that are finite; see `input_gradient`.

    Args:
        values: of any shape.
        what: LOGIT or GRADIENT.
    """
    if not values.is_cuda:
        _require_finite(values, what)
    elif (notes := _on_device.get()) is not None:
        notes.append((what, values.isfinite().all()))
    return values


@contextmanager
def finite() -> Iterator[None]:
    """Raise NotFiniteError at the end when what was looked at within was not finite, on a GPU too.

    Attacks would go on from NaN as if it were a direction, and report what argmax makes of it.
    """
    token = _on_device.set([])
    try:
        yield
        notes = _on_device.get()
        if notes:
            whole = torch.stack([good for _, good in notes]).tolist()
            if not all(whole):
                raise NotFiniteError(notes[whole.index(False)][0], "not finite")
    finally:
        _on_device.reset(token)


def _require_finite(values: Tensor, what: str) -> None:
    if not values.isfinite().all():
        raise NotFiniteError(what, str(values[~values.isfinite()][0].item()))

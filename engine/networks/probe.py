"""What a network must be able to do, asked on a few real images before it is trained or attacked.

It reads the network and changes nothing. A network that passes can be trained, attacked, explained,
measured and stored; one that does not is refused in words, with what would help.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.datasets import Split
from engine.errors import UsageError, said
from engine.networks import spaces, state
from engine.networks.inference import frozen
from engine.networks.stochastic import draws_of, one_draw

IMAGES = 4
_CLOSE = 1e-4
"""How far two answers may be apart, as a share of the largest logit; rounding stays below."""
_SUM = 1e-4
"""How far sums of probabilities may be from 1."""

Output = Literal["logits", "log_probabilities"]


@dataclass(frozen=True)
class Probe:
    """What was found of a network that passed.

    Attributes:
        images: how many images it was asked on.
        output: what it gives: logits, or logits that are log-probabilities.
        zero_gradients: for how many images the gradient of the true label's cross-entropy is zero
            in every pixel.
        draws: how many draws make an answer; 1 where nothing is random.
    """

    images: int
    output: Output
    zero_gradients: int
    draws: int

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of it, in sentences; most networks have none."""
        found = []
        if self.draws > 1:
            found.append(
                f"stochastic, {self.draws} draws: its answer is the log of the mean softmax over "
                "them, and gradients are those of that mean"
            )
        if self.output == "log_probabilities":
            found.append("its outputs are log-probabilities, which serve as logits")
        if self.zero_gradients:
            found.append(
                f"its input gradient was exactly zero for {self.zero_gradients} of {self.images} "
                "training images when it was first tried"
            )
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, the notes included."""
        return {**asdict(self), "notes": list(self.notes)}


def some(split: Split, count: int = IMAGES) -> Split:
    """Return at most `count` images of a split, spread evenly over its classes."""
    labels = split.labels
    place = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        own = labels == label
        place[own] = np.arange(own.sum())
    order = np.lexsort((labels, place))
    firsts = order[place[order] == 0]
    chosen = order[:count]
    if len(firsts) > count:
        chosen = firsts[np.linspace(0, len(firsts) - 1, count).round().astype(np.int64)]
    return Split(split.pixels[chosen], labels[chosen])


def require_logits(network: nn.Module, x: Tensor, classes: int, name: str) -> Tensor:
    """Return the logits (N, `classes`) of images x (N, C, H, W), which are left as they are.

    In evaluation mode, without gradients.

    Raises:
        UsageError: it cannot take the images, or gives something else.
    """
    try:
        with frozen(network), torch.no_grad():
            logits = network(x.clone())
    except Exception as error:
        raise UsageError(
            f"{name} cannot take {len(x)} images of shape {tuple(x.shape[1:])}: {said(error)}"
        ) from error
    found = (
        f"{logits.dtype} {tuple(logits.shape)}"
        if isinstance(logits, Tensor)
        else f"a {type(logits).__name__}"
    )
    if found != f"{torch.float32} {(len(x), classes)}":
        raise UsageError(
            f"{name} must give float32 logits (N, {classes}), one for each class of the dataset; "
            f"for N = {len(x)} it gave {found}{_remedy(logits, len(x), classes)}"
        )
    found_logits: Tensor = logits.detach()
    return found_logits


def probe(
    network: nn.Module,
    split: Split,
    classes: int,
    *,
    name: str,
    again: Callable[[], nn.Module] | None = None,
) -> Probe:
    """Ask `network` on the images of `split`, some four of them, and return what was found.

    It is in evaluation mode for it, and left as found.

    Args:
        network: whole, with its preprocessing and, where it is stochastic, its expectation.
        split: real images with labels; see `some`.
        classes: how many the dataset has.
        name: how messages call the network.
        again: builds the network anew, with other initial weights, to see that loading gives the
            same network back; None does not try.

    Raises:
        UsageError: it cannot be used; the message says what was found and what to do.
    """
    x, y = torch.from_numpy(split.images).contiguous(), torch.from_numpy(split.labels)
    draws = draws_of(network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state.require_savable(network, name)
        _require_finite_weights(network, name)
        before = state.separate(network.state_dict())
        with one_draw(network):
            first = require_logits(network, x, classes, name)
            second = _asked_behind(network, x, name)
        _require_finite_logits(first, name)
        _require_unchanged(network, before, name)
        output = _output(first, name)
        _require_draws(draws, first, second, name)
        logits = first
        if draws > 1:
            logits = require_logits(network, x, classes, name)
            _require_equal_answers(logits, require_logits(network, x, classes, name), name)
        _require_no_batch(network, x, logits, classes, name)
        zero = _zero_gradients(network, x, y, name)
        if again is not None:
            _require_loadable(network, again(), x, logits, classes, name)
    return Probe(len(split), output, zero, draws)


def _require_finite_weights(network: nn.Module, name: str) -> None:
    broken = state.not_finite(network)
    if broken is not None:
        raise UsageError(
            f"{name} has a weight that is {broken[1]}, in {broken[0]}; initialise it (torch.empty "
            "does not), or give weights of a training that did not diverge"
        )


def _asked_behind(network: nn.Module, x: Tensor, name: str) -> Tensor:
    """Return the logits, asked by way of the model input: the pixels, where no steps come first.

    Raises:
        UsageError: the network writes into it.
    """
    to_model_input, behind = spaces.split(network)
    with frozen(network), torch.no_grad():
        z = to_model_input(x).clone()
        given = z.clone()
        logits = behind(given).detach()
    if not torch.equal(given, z):
        raise UsageError(
            f"{name} writes into the images that it is given, so that nobody else can use them "
            "and no gradient reaches them; make new tensors instead, `x = (x - m) / s` for "
            "`x.sub_(m).div_(s)` or `x -= m`"
        )
    return logits


def _require_finite_logits(logits: Tensor, name: str) -> None:
    wrong = ~logits.isfinite().all(1)
    if wrong.any():
        value = float(logits[~logits.isfinite()][0])
        raise UsageError(
            f"{name} gives {value} for {int(wrong.sum())} of {len(logits)} training images; look "
            "for a logarithm or a root of 0, a division by 0, or weights that are too large"
        )


def _output(logits: Tensor, name: str) -> Output:
    """Return what the network gives.

    Raises:
        UsageError: probabilities.
    """
    if bool((logits >= 0).all()) and bool(((logits.sum(1) - 1).abs() <= _SUM).all()):
        raise UsageError(
            f"{name} gives probabilities: every row is at least 0 and sums to 1; return the "
            "logits, without the softmax at the end"
        )
    if bool((logits.logsumexp(1).abs() <= _SUM).all()):
        return "log_probabilities"
    return "logits"


def _require_draws(draws: int, first: Tensor, second: Tensor, name: str) -> None:
    apart = _apart(first, second)
    if apart > _CLOSE and draws == 1:
        raise UsageError(
            f"{name} is stochastic: asked twice, it answers with logits that differ by "
            f"{_share(apart)} of the largest; declare how many draws make an answer, as in "
            "`draws: 20` beside its name, or switch what is random off in evaluation mode"
        )
    if apart <= _CLOSE and draws > 1:
        raise UsageError(
            f"{name} has draws {draws}, but nothing in it is random in evaluation mode (nn.Dropout "
            "is off there); leave draws out, or draw with F.dropout(x, training=True)"
        )


def _require_equal_answers(first: Tensor, second: Tensor, name: str) -> None:
    """Refuse what draws elsewhere than from torch, or remembers; averaging helps neither."""
    apart = _apart(first, second)
    if apart > _CLOSE:
        raise UsageError(
            f"{name} answers differently when it is asked again, by {_share(apart)} of the largest "
            "logit, although torch's generators start alike; draw with torch, and keep nothing "
            "from one call to the next"
        )


def _require_no_batch(
    network: nn.Module, x: Tensor, logits: Tensor, classes: int, name: str
) -> None:
    alone = torch.cat([require_logits(network, x[i : i + 1], classes, name) for i in range(len(x))])
    apart = _apart(logits, alone)
    if apart > _CLOSE:
        raise UsageError(
            f"{name} depends on the batch: an image alone gets logits that differ by "
            f"{_share(apart)} of the largest from those that it gets among others; in evaluation "
            "mode take no statistics over the batch (a BatchNorm without running statistics does)"
        )


def _zero_gradients(network: nn.Module, x: Tensor, y: Tensor, name: str) -> int:
    """Return for how many images the cross-entropy's gradient is exactly zero.

    Raises:
        UsageError: no gradient reaches the images, or it is not finite.
    """
    x = x.clone().requires_grad_(True)
    try:
        with frozen(network), torch.enable_grad():
            loss = F.cross_entropy(network(x), y, reduction="sum")
            gradient = None
            if loss.grad_fn is not None:
                (gradient,) = torch.autograd.grad(loss, x, allow_unused=True)
    except Exception as error:
        raise UsageError(
            f"{name} cannot be differentiated with respect to the images: {said(error)}; attacks "
            "and maps follow that gradient"
        ) from error
    if gradient is None:
        raise UsageError(
            f"no gradient of {name} reaches the images; attacks and maps follow it: leave out "
            "torch.no_grad, detach, .data and numpy on the way from the images to the logits"
        )
    wrong = ~gradient.flatten(1).isfinite().all(1)
    if wrong.any():
        raise UsageError(
            f"the input gradient of {name} is not finite for {int(wrong.sum())} of {len(x)} "
            "training images; look for a root or a norm of 0, or a division by 0"
        )
    return int((gradient.flatten(1) == 0).all(1).sum())


def _require_unchanged(network: nn.Module, before: dict[str, Tensor], name: str) -> None:
    after = network.state_dict()
    for key, value in before.items():
        if not torch.equal(value, after[key]):
            raise UsageError(
                f"{name} changes {key} when it is asked in evaluation mode; change it in training "
                "mode alone, `if self.training:`"
            )


def _require_loadable(
    network: nn.Module, other: nn.Module, x: Tensor, logits: Tensor, classes: int, name: str
) -> None:
    remedy = (
        "keep every tensor that its answers rest on as a parameter or buffer "
        "(self.register_buffer), and let nothing else in __init__ be random"
    )
    try:
        other.load_state_dict(state.separate(network.state_dict()))
    except Exception as error:
        raise UsageError(
            f"{name} cannot be loaded into a network that is built anew: {said(error)}; {remedy}"
        ) from error
    apart = _apart(logits, require_logits(other, x, classes, name))
    if apart > _CLOSE:
        raise UsageError(
            f"{name} is another network after it was saved and loaded: its logits differ by "
            f"{_share(apart)} of the largest; {remedy}"
        )


def _remedy(logits: Any, images: int, classes: int) -> str:
    """Return what to change so that there are logits, as the end of a sentence."""
    if not isinstance(logits, Tensor):
        return "; return the tensor of logits alone"
    if logits.is_floating_point() and logits.shape == (images, classes):
        return "; return `logits.float()`"
    if classes == 2 and logits.numel() == images:
        return "; of one logit z (N, 1) make two, `torch.cat([0 * z, z], 1)`"
    if images == 1 and logits.shape == (classes,):
        return "; keep the axis of the images (a squeeze without an axis drops it)"
    return ""


def _apart(first: Tensor, second: Tensor) -> float:
    """Return the largest difference as a share of the largest logit."""
    largest = float(first.abs().max())
    apart = float((first - second).abs().max())
    return apart / largest if largest else apart


def _share(apart: float) -> str:
    return f"{apart:.2g}"

"""Differential training: a loss on score differences of opposite classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor, nn
from torch.nn import functional as F

from engine.defenses import Context, Defense, Terms, register
from engine.errors import UsageError
from engine.networks import features, inference

if TYPE_CHECKING:
    from engine.datasets import Split


@register
class Differential(Defense):
    """mean over pairs i in class 1, j in class 0 of l(s_i - s_j), with the score s = z_1 - z_0.

    Nar, Ocal, Sastry & Ramchandran (2019). `squared`: l(m) = (m - margin)^2. `logistic`:
    l(m) = log(1 + exp(-m)). All pairs of the batch count: an outer difference of two score vectors,
    one forward pass of the batch.

    Which does what. Without a bound on the features phi, s = w . phi can grow as long as training
    goes on: the logistic loss keeps falling with the scale of s alone, so that a small loss says
    nothing of the distance to the boundary. The squared loss has its minimum at a finite
    difference and asks every pair for the same one, which also pulls each class together along w.
    For fixed features, the linear case, the logistic loss leads to the hard margin
    (`engine.theory.linear`); the squared one is least squares.

    Recalled, not read again in the paper: that it uses a squared loss for networks and 1 as its
    margin. The paper sums over pairs; the mean has the same minimisers and does not tie the step
    to the batch.

    The loss does not see a shift of s. `finalize` therefore sets the bias after training; until
    then accuracies, those of the training curve included, mean nothing. A penalty that combines
    does see it: the gradient penalty differentiates the cross-entropy.

    Attributes:
        pair_loss: l, `squared` or `logistic`.
        margin: the score difference that `squared` asks for; `logistic` has none.
    """

    has_objective: ClassVar[bool] = True

    pair_loss: Literal["squared", "logistic"] = "squared"
    margin: float = Field(1.0, gt=0, allow_inf_nan=False)

    @field_validator("margin")
    @classmethod
    def _has_effect(cls, margin: float, info: ValidationInfo) -> float:
        if info.data.get("pair_loss") == "logistic" and margin != 1:
            raise ValueError("the logistic pair loss has no margin; leave it out or use squared")
        return margin

    def check(self, model: nn.Module, images: NDArray[np.float32]) -> None:
        """Raise UsageError unless `finalize` can set the bias: two outputs from a linear layer."""
        outputs = inference.logits(model, images[:2]).shape[1]
        if outputs != 2:
            raise UsageError(_not_binary(outputs))
        _bias(model, images)

    def objective(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Terms:
        """Return the mean pair loss; a zero with zero gradients when one class is absent.

        Raises:
            UsageError: the network does not have two outputs.
        """
        _, logits = context.clean(model, x)
        if logits.ndim != 2 or logits.shape[1] != 2:
            raise UsageError(_not_binary(logits.shape[-1]))
        score = logits[:, 1] - logits[:, 0]
        difference = score[y == 1][:, None] - score[y == 0][None, :]
        if difference.numel() == 0:
            return {"differential": difference.sum()}
        if self.pair_loss == "squared":
            return {"differential": (difference - self.margin).square().mean()}
        return {"differential": F.softplus(-difference).mean()}

    def finalize(self, model: nn.Module, train: Split) -> None:
        """Put the boundary midway: add b = -(min_{class 1} s + max_{class 0} s) / 2 to the score.

        The extremes are those of the training set in evaluation mode. The two biases get -b/2 and
        +b/2; score differences stay. After it the extremes are opposite numbers.

        Raises:
            UsageError: see `check`; or the training set holds one class only.
        """
        self.check(model, train.images[:2])
        logits = inference.logits(model, train.images).double()
        score, positive = logits[:, 1] - logits[:, 0], torch.from_numpy(train.labels) == 1
        if positive.all() or not positive.any():
            raise UsageError("the training set holds one class only; differential needs both")
        shift = -(score[positive].min() + score[~positive].max()) / 2
        bias = _bias(model, train.images[:2])
        with torch.no_grad():
            bias.add_(torch.stack([-shift / 2, shift / 2]).to(bias))


def _bias(model: nn.Module, images: NDArray[np.float32]) -> Tensor:
    """Return the bias of the layer that gives the logits.

    Raises:
        UsageError: there is no such layer, or it has no bias.
    """
    layer = inference.head(model, images)
    if layer is None:
        raise UsageError(
            f"differential training sets the bias of the final linear layer, but "
            f"{features.no_head(model)}; make an nn.Linear the last step, and its output the logits"
        )
    if layer.bias is None:
        raise UsageError(
            "differential training sets the bias of the final linear layer, which has none; "
            "build it with bias=True"
        )
    return layer.bias


def _not_binary(outputs: int) -> str:
    return (
        f"differential training is for two classes, the network has {outputs} output"
        f"{'' if outputs == 1 else 's'}; choose a dataset of two classes, with a logit for each"
    )

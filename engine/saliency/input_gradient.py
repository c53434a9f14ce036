"""The input gradient, drawn in the figures of Ross & Doshi-Velez (2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from engine.saliency import SaliencyMethod, register

if TYPE_CHECKING:
    from torch import Tensor

    from engine.saliency._explained import Batch, Explained

_SUMMED = (
    "gradient of the summed log-probabilities Σₖ log pₖ: where it is negative, brightening the "
    "pixel makes the model more certain"
)
_SCALARS = {
    ("log_probability", False): ("the log-probability log p(y)", "", "for y"),
    ("log_probability", True): ("log p(y) − log p(z)", " and z is ", "for y and against z"),
    ("cross_entropy", False): ("the loss, the cross-entropy −log p(y)", "", "against y"),
    ("cross_entropy", True): (
        "the loss of y less that of z, log p(z) − log p(y)",
        " and z is ",
        "against y and for z",
    ),
}
"""By scalar, and whether there is a second class: its name, what stands before that class, and for
what a positive value speaks."""


@register
class InputGradient(SaliencyMethod):
    """grad_x of `of`, signed, by Captum's `Saliency` with `abs=False`.

    Ross & Doshi-Velez (2018), section 4, draw the gradient of sum_k log p_k, which explains no
    class.

    Attributes:
        of: the scalar that is differentiated: `sum_log_probabilities` (the paper's); or, of the
            class that is explained, its `log_probability`, its `cross_entropy` -log p (the loss of
            that label), or its `logit`. Where a second class is given, less the same of that.
    """

    of: Literal["sum_log_probabilities", "log_probability", "cross_entropy", "logit"] = (
        "sum_log_probabilities"
    )

    @property
    def explains_a_class(self) -> bool:
        """See `SaliencyMethod.explains_a_class`; the paper's scalar names none."""
        return self.of != "sum_log_probabilities"

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        if self.of == "sum_log_probabilities":
            return _SUMMED
        if self.of == "logit":
            return f"gradient of {of}: where it is positive, brightening the pixel raises that"
        label, _, other = of.removeprefix("the logit of ").partition(" minus that of ")
        scalar, where, speaks = _SCALARS[self.of, bool(other)]
        return (
            f"gradient of {scalar}, where y is {label}{where}{other}: where it is positive, "
            f"brightening the pixel speaks {speaks}"
        )

    def explain(self, batch: Batch) -> Explained:
        """Return signed gradients."""
        from captum.attr import Saliency  # with all that it draws with, half a second and more

        from engine.saliency._explained import Explained

        def scalar(x: Tensor) -> Tensor:
            if self.of == "logit":
                logit: Tensor = batch.scalar(x, batch.classes, batch.against)
                return logit
            log_p: Tensor = batch.model(x).log_softmax(1)
            if self.of == "sum_log_probabilities":
                return log_p.sum(1)
            chosen = log_p.gather(1, batch.classes[:, None])[:, 0]
            if batch.against is not None:
                chosen = chosen - log_p.gather(1, batch.against[:, None])[:, 0]
            signed: Tensor = -chosen if self.of == "cross_entropy" else chosen
            return signed

        return Explained(Saliency(scalar).attribute(batch.x.requires_grad_(True), abs=False))

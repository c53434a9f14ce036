"""The input gradient, drawn in the figures of Ross & Doshi-Velez (2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from engine.saliency import SaliencyMethod, register

if TYPE_CHECKING:
    from torch import Tensor

    from engine.saliency._batch import Batch, Explained

_SUMMED = (
    "gradient of the summed log-probabilities Σₖ log pₖ: where it is negative, brightening the "
    "pixel makes the model more certain"
)


@register
class InputGradient(SaliencyMethod):
    """grad_x of `of`, signed, by Captum's `Saliency` with `abs=False`.

    Ross & Doshi-Velez (2018), section 4, draw the gradient of sum_k log p_k, which explains no
    class.

    Attributes:
        of: the scalar that is differentiated: `sum_log_probabilities` (the paper's) or
            `log_probability` of what is explained.
    """

    of: Literal["sum_log_probabilities", "log_probability"] = "sum_log_probabilities"

    @property
    def explains_a_class(self) -> bool:
        """See `SaliencyMethod.explains_a_class`; the paper's scalar names none."""
        return self.of != "sum_log_probabilities"

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        if self.of == "sum_log_probabilities":
            return _SUMMED
        label = of.removeprefix("the logit of ")
        return (
            f"gradient of the log-probability log p(y), where y is {label}: where it is positive, "
            "brightening the pixel speaks for y"
        )

    def explain(self, batch: Batch) -> Explained:
        """Return signed gradients."""
        from captum.attr import Saliency  # with all that it draws with, half a second and more

        from engine.saliency._batch import Explained

        def scalar(x: Tensor) -> Tensor:
            log_p: Tensor = batch.model(x).log_softmax(1)
            if self.of == "log_probability":
                return log_p.gather(1, batch.classes[:, None])[:, 0]
            return log_p.sum(1)

        return Explained(Saliency(scalar).attribute(batch.x.requires_grad_(True), abs=False))

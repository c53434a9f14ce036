"""The input gradient, drawn in the figures of Ross & Doshi-Velez (2018)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.networks.inference import GRADIENT, copied, device_of, frozen, looked_at, parts
from engine.saliency import SaliencyMethod, register

_QUANTITIES = {
    "sum_log_probabilities": (
        "gradient of the summed log-probabilities Σₖ log pₖ: where it is negative, brightening the "
        "pixel makes the model more certain"
    ),
    "log_probability": (
        "gradient of the true label's log-probability log p(y): where it is positive, brightening "
        "the pixel speaks for the true label"
    ),
}


@register
class InputGradient(SaliencyMethod):
    """grad_x of `of`, signed, by Captum's `Saliency` with `abs=False`.

    Ross & Doshi-Velez (2018), section 4, draw the gradient of sum_k log p_k.

    Attributes:
        of: the scalar that is differentiated: `sum_log_probabilities` (the paper's) or
            `log_probability` of the true label.
    """

    of: Literal["sum_log_probabilities", "log_probability"] = "sum_log_probabilities"

    @property
    def quantity(self) -> str:
        """What the map is, with the reading of its sign."""
        return _QUANTITIES[self.of]

    def attribute(
        self, model: nn.Module, images: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return signed gradients; see `SaliencyMethod.attribute`."""
        from captum.attr import Saliency  # with all that it draws with, half a second and more

        maps, device = [], device_of(model)
        with frozen(model):
            for image_batch, label_batch in parts(model, images, labels, work="gradients"):
                x = copied(image_batch, device).requires_grad_(True)
                scalar = self._scalar(model, torch.from_numpy(label_batch).to(device))
                maps.append(Saliency(scalar).attribute(x, abs=False).detach().cpu())
        return looked_at(torch.cat(maps), GRADIENT).numpy()

    def _scalar(self, model: nn.Module, y: Tensor) -> Callable[[Tensor], Tensor]:
        def scalar(x: Tensor) -> Tensor:
            log_p: Tensor = model(x).log_softmax(1)
            if self.of == "log_probability":
                return log_p.gather(1, y[:, None])[:, 0]
            return log_p.sum(1)

        return scalar

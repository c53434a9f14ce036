"""Guided backpropagation: gradients that stay positive at every ReLU."""

from __future__ import annotations

from torch import Tensor, nn

from engine.networks.structure import Structure
from engine.saliency import Reason, SaliencyMethod, register
from engine.saliency._batch import Batch, Explained
from engine.saliency._gradients import gradient
from engine.saliency._hooks import hooked

_OTHERS = """
    CELU ELU GELU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid Mish PReLU RReLU
    ReLU6 SELU SiLU Sigmoid Softplus Softshrink Softsign Tanh Tanhshrink Threshold
"""


@register
class GuidedBackprop(SaliencyMethod):
    """grad_x F, where every ReLU lets through only what is positive of the gradient at its output.

    Springenberg et al. (2015), "Striving for simplicity", section 3.4. It rests on ReLU modules:
    of a network without them it would be the plain gradient. Captum's hook clips the whole
    gradient at a ReLU's input, which is something else where that goes elsewhere too; here that at
    its output is clipped.

    Adebayo et al. (2018): it changes little when weights are drawn anew, and says of the network
    less than it seems to.
    """

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        return (
            f"guided backpropagation of {of}: where it is positive, brightening the pixel excites "
            "features that raise that; its size is no rate of change"
        )

    def unfit(self, structure: Structure) -> list[Reason]:
        """Refuse what has no ReLU modules or others beside them; mark other activations."""
        relus = sum(structure.calls[name] for name in structure.named("ReLU"))
        functional = structure.functional_relus
        if not relus:
            also = f", and {functional} ReLUs that are functions" if functional else ""
            said = f"the network has no ReLU modules{also}: the map would be the plain gradient"
            return [Reason("no_relu_modules", said)]
        if functional:
            said = (
                f"of {relus + functional} ReLUs {functional} are functions and no modules: there "
                "the gradient would be the plain one"
            )
            return [Reason("functional_relus", said)]
        others = structure.named(*_OTHERS.split())
        if not others:
            return []
        kinds = ", ".join(sorted({structure.kinds[name] for name in others}))
        said = f"{len(others)} activations are no ReLUs ({kinds}): there the gradient is plain"
        return [Reason("other_activations", said, refuses=False)]

    def explain(self, batch: Batch) -> Explained:
        """Return signed maps."""

        def guide(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            if output.requires_grad:
                output.register_hook(_positive)  # type: ignore[no-untyped-call]

        relus = [each for each in batch.model.modules() if type(each).__name__ == "ReLU"]
        with hooked(each.register_forward_hook(guide) for each in relus):
            return Explained(gradient(batch, batch.x))


def _positive(gradient: Tensor) -> Tensor:
    return gradient.clamp(min=0)

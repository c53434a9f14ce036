"""Whether a training step fits into the memory budget, asked before the first one."""

from __future__ import annotations

import copy
import math

from torch import Tensor

from engine.defenses import Context
from engine.errors import PlausiblyError
from engine.networks.budget import words
from engine.networks.inference import frozen
from engine.networks.memory import Estimate, Memory, estimate, peak, ran_out
from engine.training.double_backward import PenaltyStep

_FAR = 16
"""A step takes less than so many times what its gradients by the pixels do, also where it is
differentiated twice beside adversarial examples. Measured: up to 6.4 times."""
_FEW = 4


def require(
    memory: Memory | None, step: PenaltyStep, batch: tuple[Tensor, Tensor], context: Context
) -> None:
    """Check that one step can fit. Network and random states are left as found.

    The batch is the user's number: it decides the weights, so it is not made smaller. Refused is
    what cannot fit: where the tensors alone take more than there is.

    Args:
        memory: the job's; None, or one without a budget, is not asked.
        step: what is to be taken; not called.
        batch: images and labels of the first step.
        context: of the first step; left unused.

    Raises:
        PlausiblyError: it does not fit; the message has the sizes and what to do.
    """
    if memory is None or memory.budget is None:
        return
    x, size = batch[0], len(batch[0])
    weights = sum(each.numel() * each.element_size() for each in step.model.parameters())
    # Beside the weights lie their gradients and Adam's two moments.
    room = memory.room(step.model) - weights * (3 + 3 * step.copies)
    with frozen(step.model):
        plain = estimate(step.model, x, "gradients")
    if plain is None or _FAR * plain.tensors(size) <= room:
        return
    # With fewer images the gradients of the weights would hide what an image takes.
    few = min(max(_FEW, math.ceil(weights / max(1.0, plain.each))), size // 2)
    found = _measured(step, batch, context, few)
    if found is not None and found.tensors(size) > room:
        raise PlausiblyError(
            f"a training step with batch_size {size} takes {words(found.tensors(size))} for its "
            f"tensors alone, and the memory budget of {words(memory.budget)} leaves "
            f"{words(max(0, room))} beside the process itself and the weights; give a smaller "
            "training.batch_size, or a larger --memory-budget"
        )


def _measured(
    step: PenaltyStep, batch: tuple[Tensor, Tensor], context: Context, few: int
) -> Estimate | None:
    """Measure a step with `few` images, and with twice as many, on copies of the network.

    None where it cannot be copied, or not tried so.
    """
    x, y = batch

    def taken(images: int) -> int:
        tried = step.ordinary(copy.deepcopy(step.model).train())
        return peak(lambda: tried(x[:images], y[:images], copy.copy(context)), x.device)

    if few < _FEW:
        return None
    try:
        peaks = taken(few), taken(2 * few)
    except Exception as error:
        if ran_out(error):
            raise
        return None  # the first step says what is wrong
    return Estimate(few, 2 * few, peaks)

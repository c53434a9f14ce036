"""Whether a training step fits into the memory budget, asked before the first one."""

from __future__ import annotations

import copy

from torch import Tensor

from engine.defenses import Context
from engine.errors import PlausiblyError
from engine.networks.budget import words
from engine.networks.inference import frozen
from engine.networks.memory import Estimate, Memory, estimate, peak
from engine.training.double_backward import PenaltyStep

_FAR = 16
"""A step takes less than so many times what its gradients by the pixels do, also where it is
differentiated twice and both ways of it are compared."""
_FEW, _MANY = 4, 8


def require(
    memory: Memory | None, step: PenaltyStep, batch: tuple[Tensor, Tensor], context: Context
) -> None:
    """Check that one step fits. Network and random states are left as found.

    The batch is the user's number: it decides the weights, so it is not made smaller.

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
    # Gradients and Adam's two moments are as large as the weights.
    room = memory.room(step.model) - 3 * sum(w.numel() * 4 for w in step.model.parameters())
    with frozen(step.model):
        plain = estimate(step.model, x, "gradients")
    if plain is None or _FAR * plain.of(size) <= room:
        return
    found = _measured(step, batch, context)
    if found is not None and found.of(size) > room:
        raise PlausiblyError(
            f"a training step with batch_size {size} takes about {words(found.of(size))}, and the "
            f"memory budget of {words(memory.budget)} leaves {words(max(0, room))} beside the "
            "process itself and the weights; give a smaller training.batch_size, or a larger "
            "--memory-budget"
        )


def _measured(step: PenaltyStep, batch: tuple[Tensor, Tensor], context: Context) -> Estimate | None:
    """Measure a step with a few images on a copy; None where it cannot be copied or tried so."""
    x, y = batch

    def run(images: int) -> None:
        tried = step.on(copy.deepcopy(step.model).train())
        tried(x[:images], y[:images], copy.copy(context))

    if len(x) < _MANY:
        return None
    try:
        peaks = (peak(lambda: run(_FEW), x.device), peak(lambda: run(_MANY), x.device))
    except Exception:
        return None  # the first step says what is wrong
    return Estimate(_FEW, _MANY, peaks)

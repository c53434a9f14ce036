"""How many images a network is given at a time: as many as the memory budget holds."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from engine.errors import PlausiblyError
from engine.networks.budget import BASE, words

Work = Literal["answers", "gradients", "attacks"]
"""What is done with a batch: asked, differentiated, or attacked, which holds some images more."""

BATCH = 256
"""Images at a time where memory does not limit them. Last bits depend on it."""
_SAFETY = 2.5
"""Memory over that of all tensors alive: kernels have room of their own, and freed blocks leave
gaps. Measured: 1.4 to 2.1 (docs/benchmarks.md)."""
_HELD = 24
"""Tensors of an image's size that an attack holds beside the network's: JSMA has the most."""

_applied: ContextVar[Memory | None] = ContextVar("memory", default=None)


class Memory:
    """The memory that one job has for batches, and the batches that it takes.

    A batch is `largest` where that fits, else the largest power of two that does: it follows from
    budget, network and image size alone, so that the same job has the same bits again. What an
    image takes is measured: with the first one and two of them, on the device.

    Args:
        budget: bytes of the process, or of its GPU; None sets no limit.
        largest: images at a time.

    Attributes:
        used: the smallest batch of each kind of work so far, for the manifest.
    """

    def __init__(self, budget: int | None, *, largest: int = BATCH) -> None:
        self.budget = budget
        self.largest = largest
        self.used: dict[str, int] = {}
        self._batches: WeakKeyDictionary[nn.Module, dict[Any, int]] = WeakKeyDictionary()

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the block all walks over images go by this."""
        token = _applied.set(self)
        try:
            yield
        finally:
            _applied.reset(token)

    def batch(self, model: nn.Module, x: Tensor, work: Work) -> int:
        """Return how many images `model` is given at a time.

        Args:
            model: a network in evaluation mode with frozen weights.
            x: some images on its device (N, C, H, W), N >= 1; two are enough.
            work: what is done with them.

        Raises:
            PlausiblyError: there is no room for a single image.
        """
        known = self._batches.setdefault(model, {})
        key = (tuple(x.shape[1:]), work)
        if key not in known:
            known[key] = self.largest if self.budget is None else self._fitting(model, x, work)
        self.used[work] = min(known[key], self.used.get(work, known[key]))
        return known[key]

    def _fitting(self, model: nn.Module, x: Tensor, work: Work) -> int:
        found = estimate(model, x, work)
        if found is None:
            return self.largest
        count = found.images(self.room(model))
        if count < 1:
            raise PlausiblyError(
                f"there is no room for a single image of {'x'.join(map(str, x.shape[1:]))}: it "
                f"takes about {words(found.of(1))} in {type(model).__name__}, and the memory "
                f"budget of {words(self.budget or 0)} leaves {words(max(0, self.room(model)))} "
                "beside the process itself and the weights; give a larger --memory-budget"
            )
        return self.largest if count >= self.largest else 2 ** int(math.log2(count))

    def room(self, model: nn.Module) -> float:
        """Return the bytes that are left for batches beside the process and the weights."""
        assert self.budget is not None
        held = sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))
        # A network and its prepared copy.
        return self.budget - BASE - 2 * held


def ran_out(error: BaseException) -> bool:
    """Say whether an error is that of memory that has run out, on the CPU or on a GPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # PyTorch has no type of its own for the CPU.
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)


def applied() -> Memory | None:
    """Return what `Memory.applied` has set; None outside of its blocks."""
    return _applied.get()


class Estimate:
    """The memory of a piece of work as a line over the number of images.

    Args:
        few, many: two numbers of images.
        peaks: the bytes of all tensors that were alive at a time with each.

    Attributes:
        each: of these bytes, what a further image adds.
    """

    def __init__(self, few: int, many: int, peaks: tuple[int, int]) -> None:
        self.each = max(0.0, (peaks[1] - peaks[0]) / (many - few))
        self._fixed = max(0.0, peaks[0] - few * self.each)

    def of(self, images: int) -> float:
        """Return the bytes that so many images take at most, kernels' own room included."""
        return _SAFETY * self.tensors(images)

    def tensors(self, images: int) -> float:
        """Return the bytes of the tensors alone: what it takes at least."""
        return self._fixed + images * self.each

    def images(self, room: float) -> int:
        """Return how many images fit into `room` bytes; 0 for none."""
        left = room - self.of(0)
        return max(0, int(left / (_SAFETY * self.each))) if self.each else 2**30 * (left >= 0)


def estimate(model: nn.Module, x: Tensor, work: Work) -> Estimate | None:
    """Return what work with images takes; see `Memory.batch` for the arguments.

    None where the network does not take one or two images: whoever gives it more is told why.
    """
    held = _HELD * x[:1].numel() * x.element_size() if work == "attacks" else 0

    def run(images: Tensor) -> None:
        if work == "answers":
            with torch.inference_mode():
                model(images)
            return
        with torch.enable_grad():
            given = images.requires_grad_(True)
            torch.autograd.grad(model(given).log_softmax(1).sum(), given)

    # Twice the same image where there is one alone.
    two = x[:2] if len(x) > 1 else x[:1].expand(2, *x.shape[1:])
    try:
        peaks = tuple(
            peak(lambda n=n: run(two[:n].clone()), x.device) + n * held  # type: ignore[misc]
            for n in (1, 2)
        )
    except Exception as error:
        if ran_out(error):
            raise
        return None
    return Estimate(1, 2, (peaks[0], peaks[1]))


def peak(run: Callable[[], object], device: torch.device) -> int:
    """Return the bytes of the tensors that were alive at a time while `run` made them.

    Random states are left as found.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), _Alive() as alive:
        run()
    most: int = alive.most
    return most


class _Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the memory of all tensors that are made within it, and are not freed yet.

    Every operation is seen, those of backward passes too; what a kernel takes for itself is not.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now: int = 0
        self.most: int = 0
        self._seen: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for each in tree_leaves(made):
            if isinstance(each, Tensor):
                self._add(each.untyped_storage())
        return made

    def _add(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._seen:
            return

        def freed(_: object) -> None:
            del self._seen[key]
            self.now -= size

        self._seen[key] = weakref.ref(storage, freed)
        self.now += size
        self.most = max(self.most, self.now)

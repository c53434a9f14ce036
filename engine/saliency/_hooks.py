"""Hooks on a network's modules, removed whatever happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn
from torch.utils.hooks import RemovableHandle


@contextmanager
def hooked(handles: Iterable[RemovableHandle]) -> Iterator[None]:
    """Within it the hooks are there that `handles` registers, one after the other."""
    made: list[RemovableHandle] = []
    try:
        made.extend(handles)
        yield
    finally:
        for handle in made:
            handle.remove()


def of_classes(model: nn.Module, *names: str) -> list[nn.Module]:
    """Return the modules of these classes of PyTorch; subclasses and namesakes are left out."""
    return [
        each
        for each in model.modules()
        if type(each).__name__ in names and type(each).__module__.startswith("torch.nn.")
    ]

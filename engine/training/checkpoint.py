"""Where an unfinished training stands, so that a killed one goes on instead of starting over."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.networks.state import separate

KEPT = "weights-{step:06d}.safetensors"
"""Name of a file with the weights of one step."""
_FILE = "training.safetensors"
_INTERVAL_S = 5.0


class Checkpoint:
    """The state of one training in a folder: weights, optimizer, step and curve.

    Written under a temporary name and renamed, so it is whole or absent. What a step draws at
    random depends on the seed and the step alone, so nothing else has to be kept for a resumed
    training to end with the same bits as one that was never stopped.

    Args:
        folder: made when the first state is saved.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._saved_at = time.monotonic()

    def keep(self, model: nn.Module, step: int) -> None:
        """Keep the weights of `step` beside the state; a resumed training writes them again."""
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{KEPT.format(step=step)}-{os.getpid()}"
        save_file(separate(model.state_dict()), draft)
        draft.rename(self._folder / KEPT.format(step=step))

    def kept(self) -> list[Path]:
        """Return the files with kept weights, in the order of their steps."""
        return sorted(self._folder.glob(KEPT.format(step=0).replace("000000", "*")))

    def load(
        self, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> tuple[int, list[dict[str, Any]]]:
        """Bring model and optimizer to the saved state; return its step and curve.

        Without a saved state, or with one that cannot be read, nothing changes: (0, []).
        """
        try:
            with safe_open(self._folder / _FILE, "pt") as file:
                kept = json.loads(file.metadata()["state"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, KeyError, ValueError):
            return 0, []
        model.load_state_dict(_part(tensors, "model."))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _part(tensors, "optimizer.").items():
            number, _, what = name.partition(".")
            state.setdefault(int(number), {})[what] = tensor
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        return kept["step"], kept["curve"]

    def save(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        step: int,
        curve: list[dict[str, Any]],
    ) -> None:
        """Save the state, unless the last time was just now: saving must not slow training."""
        if time.monotonic() - self._saved_at < _INTERVAL_S:
            return
        tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        for number, values in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{what}": tensor for what, tensor in values.items()}
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{_FILE}-{os.getpid()}"
        kept = json.dumps({"step": step, "curve": curve})
        save_file(separate(tensors), draft, metadata={"state": kept})
        draft.rename(self._folder / _FILE)
        self._saved_at = time.monotonic()


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }

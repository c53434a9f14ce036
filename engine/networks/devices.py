"""What can be computed on: the CPU, or the NVIDIA GPUs of this machine."""

from __future__ import annotations

from typing import Literal

from engine.errors import UsageError

Device = Literal["auto", "cpu", "cuda"]


def resolve(device: Device = "auto") -> list[str]:
    """Return torch's names of the devices to use: ["cuda:0", "cuda:1"] or ["cpu"].

    Args:
        device: "auto" takes the GPUs where there are any.

    Raises:
        UsageError: CUDA was asked for where torch sees no GPU.
    """
    if device == "cpu":
        return ["cpu"]
    import torch

    found = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if found:
        return found
    if device == "cuda":
        reason = (
            "torch sees no NVIDIA GPU on this machine"
            if torch.version.cuda
            else f"torch {torch.__version__} was built without CUDA"
        )
        raise UsageError(f"device cuda cannot be used: {reason}; use cpu or auto")
    return ["cpu"]


def describe(device: str) -> str:
    """Return what a manifest says of the device: "cpu", or the GPU's model."""
    if device == "cpu":
        return device
    import torch

    return torch.cuda.get_device_name(device)

"""How much memory a process may take for batches: said, or a share of what the machine has."""

from __future__ import annotations

import os
import re
from pathlib import Path

from engine.errors import UsageError

GIB = 2**30
BASE = GIB // 2
"""What a process takes without any batch: Python and PyTorch, on a GPU CUDA's own."""
_SHARE = 0.75
"""Of the machine's memory, what all processes together may take."""
_LEAST = 2 * BASE
_UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12, "MIB": 2**20, "GIB": GIB, "TIB": 2**40}
_CGROUP = Path("/sys/fs/cgroup/memory.max")

REMEDY = (
    "give each process less to hold with --memory-budget, 1GiB say, or more of the machine to "
    "fewer of them with a larger one"
)
"""What to do when memory has run out."""


def parse(text: str) -> int:
    """Return the bytes that `2GiB` or `500 MB` says.

    Raises:
        UsageError: it is no amount of memory, or less than a process takes without any batch.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]i?B)\s*", text, re.IGNORECASE)
    unit = _UNITS.get(found[2].upper()) if found else None
    if found is None or unit is None:
        raise UsageError(
            f"memory budget {text!r} is no amount of memory; write it as 2GiB or 500MB"
        )
    budget = int(float(found[1]) * unit)
    if budget <= BASE:
        raise UsageError(
            f"memory budget {text!r} is too small: a process takes {words(BASE)} before it holds "
            "any image; give at least 1GiB"
        )
    return budget


def words(size: float) -> str:
    """Return bytes as people say them: 1.5 GiB."""
    return f"{size / GIB:.1f} GiB" if size >= GIB / 10 else f"{size / 2**20:.1f} MiB"


def of_machine(device: str = "cpu", sharers: int | None = None) -> int:
    """Return one process's share of the memory of this machine, or of its GPU.

    What is free at the moment plays no part, so that it is the same in every run.

    Args:
        device: torch's name of what is computed on.
        sharers: processes that share it; default: as many as the machine has cores, and on a GPU
            one.
    """
    if device == "cpu":
        total, shared = _memory(), sharers or os.cpu_count() or 1
    else:
        import torch

        total, shared = torch.cuda.get_device_properties(device).total_memory, sharers or 1
    return max(_LEAST, int(_SHARE * total / shared))


def processes(budget: int, wanted: int) -> int:
    """Return how many processes of so much memory fit into the machine, at most `wanted`."""
    return max(1, min(wanted, int(_SHARE * _memory() / budget)))


def _memory() -> int:
    """Return the machine's memory in bytes, or the limit of the container that this runs in."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(total, int(_CGROUP.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return total

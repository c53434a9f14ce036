"""What the commands share: options, and printing results to standard output."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer

from engine.networks import budget
from engine.networks.devices import Device

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
RunBy = Annotated[
    Literal["local", "ray"],
    typer.Option(help="Processes on this machine, or jobs on the Ray cluster at RAY_ADDRESS."),
]
OnDevice = Annotated[
    Device, typer.Option(help="What to compute on; auto takes the GPUs where there are any.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Processes at a time on this machine; several may share a GPU. Default: one per core "
        "on the CPU, one per GPU on GPUs.",
    ),
]
MemoryBudget = Annotated[
    int | None,
    typer.Option(
        parser=budget.parse,
        metavar="SIZE",
        envvar="PLAUSIBLY_MEMORY_BUDGET",
        help="Memory for each process, 2GiB say, or of its GPU; large networks are then given "
        "fewer images at a time. Default: what the machine has, shared among the processes.",
    ),
]


def say(sentence: str) -> None:
    """Print a sentence at once, also into a pipe."""
    print(sentence, flush=True)


def print_json(value: Any) -> None:
    """Print a result as JSON; NaN and infinity, which JSON cannot say, are refused."""
    print(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False))

"""What the commands share: options, and printing results to standard output."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

import typer

from engine.networks import budget
from engine.networks.devices import Device
from study_app.cli.terminal import plain

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
RunBy = Annotated[
    Literal["local", "ray"],
    typer.Option(help="Processes on this machine, or jobs on the Ray cluster at RAY_ADDRESS."),
]
OnDevice = Annotated[
    Device, typer.Option(help="What to compute on; auto takes the GPUs where there are any.")
]
OnlyDatasets = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset",
        metavar="LABEL",
        help="Only this dataset of the file, by its label; may be given several times.",
    ),
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
    print(plain(sentence), flush=True)


def print_json(value: Any) -> None:
    """Print a result as JSON; NaN and infinity, which JSON cannot say, are refused."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    # JSON escapes a terminal's old control characters by itself, these it passes on.
    print(re.sub(r"[\x7f-\x9f\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text))

"""A worker process: takes recipes on standard input, one JSON line each, and makes the artifacts.

Started by the executor as `python -m engine.execution.worker DEVICE`. A line is an order
(`compute`). It answers on standard output with JSON lines: `progress` now and then, then `done` or
`failed`. It ends when its input ends, which is also how it notices that the process that started it
was killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.artifacts import ArtifactStore, Recipe
from engine.errors import MachineError, PlausiblyError, said

if TYPE_CHECKING:
    from engine.training.loop import Progress


def main(device: str) -> None:
    """Serve recipes until the input ends."""
    # Ctrl-C reaches the whole process group; the executor decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What libraries print must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)

    def answer(value: dict[str, Any]) -> None:
        print(json.dumps(value), file=answers, flush=True)

    def progress(values: Mapping[str, Any]) -> None:
        answer({"event": "progress", "values": dict(values)})

    for line in sys.stdin:
        try:
            answer(compute(json.loads(line), device, progress))
        except BrokenPipeError:
            raise SystemExit(1) from None


def compute(order: dict[str, Any], device: str, progress: Progress) -> dict[str, Any]:
    """Make the artifact of one order; return how it ended, as JSON.

    An order has the `store`, the `recipe`, and of the memory the `memory_budget` in bytes or,
    where that is None, the number of processes that share the machine or its GPU (`sharers`).
    """
    from engine.jobs import making
    from engine.networks import budget
    from engine.networks.memory import Memory, ran_out

    recipe = Recipe.from_json(order["recipe"])
    try:
        memory = Memory(order["memory_budget"] or budget.of_machine(device, order["sharers"]))
        making.run(
            recipe, ArtifactStore(Path(order["store"])), progress, device=device, memory=memory
        )
    except BrokenPipeError:
        raise
    except PlausiblyError as error:
        return {
            "event": "failed",
            "message": str(error),
            "exit_code": error.exit_code,
            "machine": isinstance(error, MachineError),
        }
    except Exception as error:
        traceback.print_exc()
        message = said(error)
        if ran_out(error):
            message = f"the memory of {device} ran out ({message}); {budget.REMEDY}"
        return {
            "event": "failed",
            "message": message,
            "exit_code": 1,
            "machine": False,
        }
    return {"event": "done"}


if __name__ == "__main__":
    main(sys.argv[1])

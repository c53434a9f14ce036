"""A worker process: takes recipes on standard input, one JSON line each, and makes the artifacts.

Started by the executor as `python -m engine.execution.worker DEVICE`. A line names the store and
holds the recipe. It answers on standard output with JSON lines: `progress` now and then, then
`done` or `failed`. It ends when its input ends, which is also how it notices that the process that
started it was killed.
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
from engine.errors import MachineError, PlausiblyError

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
    """Make the artifact of one order ({"store", "recipe"}); return how it ended, as JSON."""
    from engine.jobs import making

    recipe = Recipe.from_json(order["recipe"])
    try:
        making.run(recipe, ArtifactStore(Path(order["store"])), progress, device=device)
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
        return {
            "event": "failed",
            "message": f"{type(error).__name__}: {error}",
            "exit_code": 1,
            "machine": False,
        }
    return {"event": "done"}


if __name__ == "__main__":
    main(sys.argv[1])

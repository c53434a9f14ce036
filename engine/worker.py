"""A worker process: takes recipes on standard input, one JSON line each, and makes the artifacts.

Started by the executor as `python -m engine.worker STORE`. It answers on standard output with JSON
lines: `progress` now and then, then `done` or `failed`. It ends when its input ends, which is also
how it notices that the process that started it was killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from engine.artifacts import ArtifactStore, Recipe
from engine.errors import PlausiblyError


def main(root: str) -> None:
    """Serve recipes until the input ends."""
    # Ctrl-C reaches the whole process group; the executor decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What libraries print must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)

    def answer(event: str, **values: Any) -> None:
        print(json.dumps({"event": event, **values}), file=answers, flush=True)

    from engine import jobs

    store = ArtifactStore(Path(root))
    for line in sys.stdin:
        recipe = Recipe.from_json(json.loads(line))
        try:
            jobs.run(recipe, store, lambda values: answer("progress", values=dict(values)))
        except BrokenPipeError:
            raise SystemExit(1) from None
        except PlausiblyError as error:
            answer("failed", message=str(error), exit_code=error.exit_code)
        except Exception as error:
            traceback.print_exc()
            answer("failed", message=f"{type(error).__name__}: {error}", exit_code=1)
        else:
            answer("done")


if __name__ == "__main__":
    main(sys.argv[1])

"""What is said at the end of a run in which something failed: what, why, and what is there."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import PlausiblyError
from engine.execution.executor import TasksFailedError
from engine.results import Results, failures, untouched


def summary(error: TasksFailedError, runs: Sequence[Results]) -> PlausiblyError:
    """Return the error to end with: every failure, what each run has and lacks, what to do.

    Args:
        error: the failures.
        runs: what is stored all the same; without any the error says all.
    """
    if not runs:
        return error
    count = len(error.failures)
    told = {reason for results in runs for reason in results.missing.values()}
    untold = [str(each) for each in error.failures if " ".join(str(each).split()) not in told]
    lines = [f"{count} failure{'s' * (count != 1)}" + ":" * bool(untold)]
    lines += [f"  {each}" for each in untold]
    for results in runs:
        lines += _of_run(results)
    lines.append(
        "Mend what failed and run the same again: what is whole is found; what failed is made, and "
        "with it what compares all models."
    )
    said = PlausiblyError("\n".join(lines))
    said.exit_code = error.exit_code
    return said


def _of_run(results: Results) -> list[str]:
    """Say what a run has and what it lacks."""
    if not results.missing:
        return [f"{results.name} is complete."]
    whole = ", ".join(f"“{title}”" for title in untouched(results.missing, results.config))
    return [
        f"{results.name} is stored, without:",
        *(
            f"  {failure.lost(results.config)}: {failure.reason}"
            for failure in failures(results.missing)
        ),
        f"  Complete in it: {whole or 'no model'}. Report and gallery show what is there and name "
        "the rest; a study that shows only what is there can be launched.",
    ]

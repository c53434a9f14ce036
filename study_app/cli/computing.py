"""What making artifacts took, in words: processor time, and what no processor time tells."""

from __future__ import annotations

from collections.abc import Sequence

from engine.artifacts import Artifact


def computing(artifacts: Sequence[Artifact]) -> str:
    """Return the processor time of jobs, all processes together: "157.6 s of processor time".

    A GPU's work is in no processor time, so what jobs on one took by the clock stands beside it.
    What was stored before processor time was recorded is told by the clock, and named so.
    """
    known = [each for each in artifacts if each.processor_seconds is not None]
    unknown = [each for each in artifacts if each.processor_seconds is None]
    on_gpu = [each for each in known if each.manifest["environment"].get("device", "cpu") != "cpu"]
    said = []
    if known:
        spent = sum(each.processor_seconds or 0.0 for each in known)
        said.append(f"{spent:.1f} s of processor time")
    if on_gpu:
        said.append(f"{_elapsed(on_gpu)} elapsed in jobs on a GPU")
    if unknown:
        said.append(f"{_elapsed(unknown)} elapsed in jobs whose processor time was not recorded")
    return ", ".join(said)


def _elapsed(artifacts: Sequence[Artifact]) -> str:
    return f"{sum(each.seconds for each in artifacts):.1f} s"

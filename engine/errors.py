"""Errors a person can act on; the command line prints their message and exits with their code."""

from __future__ import annotations


class PlausiblyError(Exception):
    """The work failed: corrupt artifact, full disk, diverged training. Exit code 1."""

    exit_code = 1


class UsageError(PlausiblyError):
    """Something was asked for wrongly: an unknown name, key or study. Exit code 2."""

    exit_code = 2


class MachineError(PlausiblyError):
    """The machine is at fault and no model: a full disk, a killed worker, a cluster that is away.

    Nothing goes on without what failed so: it is mended by running again. Exit code 1.
    """


class ArtifactError(MachineError):
    """An artifact is missing, damaged or not what its manifest says."""


class AbsentError(PlausiblyError):
    """What is asked for was not computed, since what makes it failed when the experiment was run.

    Args:
        what: it, in words.
        reason: the sentence of the failure.
    """

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what} was not computed: {reason}; mend it and run the experiment again")
        self.what = what
        self.reason = reason


class DivergedError(PlausiblyError):
    """A training's loss became NaN or infinite.

    Args:
        term: the term of the loss that did it, or "loss".
        value: what it was.
        step: the step it was in, from 1.
    """

    def __init__(self, term: str, value: str, step: int) -> None:
        super().__init__(
            f"training diverged: {term} is {value} at step {step}; "
            "a smaller learning rate or strength may help"
        )
        self.term = term
        self.value = value
        self.step = step

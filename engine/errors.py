"""Errors a person can act on; the command line prints their message and exits with their code."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path


class PlausiblyError(Exception):
    """The work failed: corrupt artifact, full disk, diverged training. Exit code 1."""

    exit_code = 1


class UsageError(PlausiblyError):
    """Something was asked for wrongly: an unknown name, key or study. Exit code 2."""

    exit_code = 2


class ChangedCodeError(UsageError):
    """The code of a network of one's own is not the one that is meant.

    Args:
        message: says so.
        files: the files of the code that is there: SHA-256 by path.
        last_changed: which of them was written last, and when.
    """

    def __init__(self, message: str, files: Mapping[str, str], last_changed: str) -> None:
        super().__init__(message)
        self.files = files
        self.last_changed = last_changed


class NotFiniteError(PlausiblyError):
    """A network gave NaN or infinity, for which no answer, image or map could be right.

    Args:
        what: "a logit", "an input gradient".
        value: what it was.
    """

    def __init__(self, what: str, value: str) -> None:
        super().__init__(
            f"{what} of the network is {value}; look for weights that are not finite, a logarithm "
            "or root of 0, or a division by 0 in it"
        )
        self.what = what
        self.value = value


class MachineError(PlausiblyError):
    """The machine is at fault and no model: a full disk, a killed worker, a cluster that is away.

    Nothing goes on without what failed so: it is mended by running again. Exit code 1.
    """


class ArtifactError(MachineError):
    """An artifact is missing, damaged or not what its manifest says."""


class AbsentError(PlausiblyError):
    """What is asked for was not computed: what makes it failed, or the network cannot give it.

    Args:
        what: it, in words.
        reason: the sentence of the failure.
        remedy: what to do; "" where nothing can be done.
    """

    def __init__(
        self, what: str, reason: str, remedy: str = "mend it and run the experiment again"
    ) -> None:
        super().__init__("; ".join(filter(None, (f"{what} was not computed: {reason}", remedy))))
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


def said(error: BaseException) -> str:
    """Return what an error of somebody else's code says, in one line that is never empty.

    Its type and its message, however the message is laid out; without one, where it was raised.
    """
    message = " ".join(str(error).split())
    if message:
        return f"{type(error).__name__}: {message}"
    frames = traceback.extract_tb(error.__traceback__)
    where = (
        f", raised in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    )
    return f"{type(error).__name__} without a message{where}"

"""Reader of the cropped digits of SVHN: MATLAB v5 files with images X and labels y."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.datasets._published import damaged
from engine.errors import PlausiblyError


def read(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays X and y of a MATLAB v5 file.

    Raises:
        PlausiblyError: not a MATLAB v5 file, truncated, or one of the two is missing.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    with path.open("rb") as stream:
        header = stream.read(128)
    # The last four bytes are the version (0x0100) and the byte order ("IM" as written by Intel).
    if len(header) < 128 or header[124:] not in (b"\x00\x01IM", b"\x01\x00MI"):
        raise PlausiblyError(
            f"{path} is not a MATLAB v5 file: its header ends in 0x{header[124:].hex()}, "
            "expected 0x0001494d; fetch or copy it again"
        )
    with damaged(
        path,
        "a MATLAB v5 file",
        MatReadError,
        OSError,
        EOFError,
        ValueError,
        TypeError,
        zlib.error,
        struct.error,
    ):
        found = loadmat(path, variable_names=["X", "y"])
    missing = [name for name in ("X", "y") if name not in found]
    if missing:
        raise PlausiblyError(f"{path} has no variable {' or '.join(missing)}")
    return {name: np.asarray(found[name]) for name in ("X", "y")}

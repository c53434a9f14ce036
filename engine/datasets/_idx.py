"""Reader of IDX, the format of MNIST: a magic number, sizes, and bytes; plain or gzipped."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.datasets._published import damaged
from engine.errors import PlausiblyError

_UNSIGNED_BYTE = 0x08


def read(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Return the array in an IDX file of unsigned bytes.

    The header is big-endian: two zero bytes, the type (0x08: unsigned byte), the number of
    dimensions, then one 32-bit size for each.

    Raises:
        PlausiblyError: another magic number, truncated, too long, or a broken gzip stream.
    """
    with damaged(path, "a gzip file", gzip.BadGzipFile, EOFError, zlib.error):
        with path.open("rb") as stream:
            zipped = stream.read(2) == b"\x1f\x8b"
        content = gzip.decompress(path.read_bytes()) if zipped else path.read_bytes()
    magic = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
    if content[:4] != magic:
        raise PlausiblyError(
            f"{path} has magic number 0x{content[:4].hex()}, expected 0x{magic.hex()}: it is not "
            f"an IDX file of unsigned bytes with {dimensions} dimensions"
        )
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise PlausiblyError(f"{path} is truncated within its header; fetch or copy it again")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    expected = header + int(np.prod(shape, dtype=np.int64))
    if len(content) != expected:
        what = "truncated" if len(content) < expected else "too long"
        raise PlausiblyError(
            f"{path} is {what}: {len(content)} bytes, its header {shape} says {expected}; "
            "fetch or copy it again"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)

"""Reader of the cropped digits of SVHN: MATLAB v5 files with images X and labels y.

X is read in slices: the file of further images holds 1.6 GB, of which a fraction is wanted.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.datasets._published import damaged
from engine.errors import PlausiblyError

_MATRIX, _COMPRESSED = 14, 15
_UINT8 = 2
_COMPLEX = 0x800
_CLASSES = {6: "float64", 7: "float32", 8: "int8", 9: "uint8", 10: "int16", 11: "uint16"}
_ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
"""What a header ends in, the version (0x0100) and the byte order ("IM" as written by Intel)."""
_CHUNK = 1 << 16
_SLICE = 4096
_SIDE = 32


def labels(path: Path) -> NDArray[Any]:
    """Return y of a MATLAB v5 file, (N,).

    Raises:
        PlausiblyError: not a MATLAB v5 file, truncated, or there is no y.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    _order(path)
    with _damaged(path, MatReadError):
        found = loadmat(path, variable_names=["y"])
    if "y" not in found:
        raise PlausiblyError(f"{path} has no variable y")
    return np.asarray(found["y"]).reshape(-1)


def slices(path: Path, count: int) -> Iterator[NDArray[np.uint8]]:
    """Yield X of a MATLAB v5 file as uint8 (n, 3, 32, 32), one slice after the other.

    All of it is read, so that its checksum is compared; what is not used is not kept.

    Args:
        path: of the file.
        count: how many images X must have.

    Raises:
        PlausiblyError: see `labels`; or X has another type or shape.
    """
    order = _order(path)
    with _damaged(path), path.open("rb") as stream:
        stream.seek(128)
        body = _find(stream, order)
        if body is None:
            raise PlausiblyError(f"{path} has no variable X")
        kind, shape, stored = body.kind, body.shape, body.stored
        whole = (_SIDE, _SIDE, 3, count)
        if (kind, shape) != ("uint8", whole) or stored != _UINT8 or not count:
            raise PlausiblyError(
                f"{path} has X {kind} {shape} for {count} labels; expected uint8 (32, 32, 3, N)"
            )
        for start in range(0, count, _SLICE):
            n = min(_SLICE, count - start)
            content = body.source.read(n * 3 * _SIDE * _SIDE)
            # The first axis varies fastest: an image is a block of columns.
            columns = np.frombuffer(content, np.uint8).reshape(n, 3, _SIDE, _SIDE)
            yield columns.transpose(0, 1, 3, 2)
        body.source.finish()


def _order(path: Path) -> str:
    """Return the byte order that a file's header states, as `struct` writes it."""
    with path.open("rb") as stream:
        header = stream.read(128)
    if header[124:] not in _ORDERS:
        raise PlausiblyError(
            f"{path} is not a MATLAB v5 file: its header ends in 0x{header[124:].hex()}, "
            "expected 0x0001494d; fetch or copy it again"
        )
    return _ORDERS[header[124:]]


def _damaged(path: Path, *further: type[BaseException]) -> AbstractContextManager[None]:
    errors = (OSError, EOFError, ValueError, TypeError, zlib.error, struct.error)
    return damaged(path, "a MATLAB v5 file", *errors, *further)


class _Source(Protocol):
    """Gives the bytes of one variable in their order."""

    def read(self, size: int) -> bytes:
        """Return exactly so many bytes; EOFError where there are fewer."""

    def finish(self) -> None:
        """Read what is left and compare the checksum, where there is one."""


class _Plain:
    """Bytes as they stand in the file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        content = self._stream.read(size)
        if len(content) != size:
            raise EOFError("it ends within a variable")
        return content

    def finish(self) -> None:
        pass


class _Inflating:
    """Bytes of a compressed variable, of which only a chunk is held."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._left = size
        self._zlib = zlib.decompressobj()
        self._waiting = b""

    def read(self, size: int) -> bytes:
        content = bytearray()
        while len(content) < size:
            content += self._some(size - len(content))
        return bytes(content)

    def finish(self) -> None:
        while not self._zlib.eof:
            self._some(_CHUNK)

    def _some(self, most: int) -> bytes:
        if self._zlib.eof:
            raise EOFError("it ends within a variable")
        if not self._waiting:
            self._waiting = self._stream.read(min(_CHUNK, self._left))
            self._left -= len(self._waiting)
        ended = not self._waiting
        found = self._zlib.decompress(self._waiting, most)
        self._waiting = self._zlib.unconsumed_tail
        if ended and not found and not self._zlib.eof:
            raise EOFError("it ends within a variable")
        return found


class _Variable:
    """The head of a variable, behind which its values begin.

    Attributes:
        name: in the file.
        kind: of its values, as numpy calls it.
        shape: of the array.
        stored: the number that MATLAB gives the type in which the values are written.
        source: gives them.
    """

    def __init__(self, source: _Source, order: str) -> None:
        self.source = source
        self._order = order
        (flags, _), shape, name = (
            struct.unpack(f"{order}2I", self._element()),
            self._element(),
            self._element(),
        )
        number = flags & 0xFF
        self.kind = "complex" if flags & _COMPLEX else _CLASSES.get(number, f"class {number}")
        self.shape = struct.unpack(f"{order}{len(shape) // 4}i", shape)
        self.name = name.decode("ascii", "replace")
        self.stored, _ = struct.unpack(f"{order}2I", source.read(8))

    def _element(self) -> bytes:
        """Return the content of an element, which is padded to 8 bytes; short ones are packed."""
        kind, size = struct.unpack(f"{self._order}2I", head := self.source.read(8))
        if kind >> 16:
            return head[4 : 4 + (kind >> 16)]
        return self.source.read(size + -size % 8)[:size]


def _find(stream: BinaryIO, order: str) -> _Variable | None:
    """Return the variable X, with the stream at its values."""
    while head := stream.read(8):
        kind, size = struct.unpack(f"{order}2I", head)
        after = stream.tell() + size
        if kind in (_MATRIX, _COMPRESSED):
            source: _Source = _Plain(stream)
            if kind == _COMPRESSED:
                source = _Inflating(stream, size)
                source.read(8)
            variable = _Variable(source, order)
            if variable.name == "X":
                return variable
        stream.seek(after)
    return None

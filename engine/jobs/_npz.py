"""Reading an NPZ file that people bring: nothing is run, and no more is read than is allowed.

A header is read before its array, so that an entry which claims to be small and unpacks to
gigabytes is refused before it is unpacked. Pickled arrays are refused.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError

_MOST_ENTRIES = 10_000
_SUFFIX = ".npy"
_PIECE = 2**20
_BROKEN = (OSError, ValueError, EOFError, RuntimeError, NotImplementedError, SyntaxError)


@dataclass(frozen=True)
class Header:
    """What an array says of itself before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    @property
    def size(self) -> int:
        """Bytes of its values."""
        return math.prod(self.shape) * self.dtype.itemsize


class Npz:
    """An NPZ file, open.

    Args:
        path: as it was given, for messages.
        opened: the archive.
    """

    def __init__(self, path: str, opened: zipfile.ZipFile) -> None:
        self._path = path
        self._zip = opened
        infos = opened.infolist()
        if len(infos) > _MOST_ENTRIES:
            raise UsageError(f"{path!r} has {len(infos)} entries; at most {_MOST_ENTRIES} are read")
        self._infos = {info.filename.removesuffix(_SUFFIX): info for info in infos}
        if len(self._infos) < len(infos):
            raise UsageError(f"{path!r} has an array twice")

    @property
    def names(self) -> list[str]:
        """The names of its arrays, in its order."""
        return list(self._infos)

    def header(self, name: str) -> Header:
        """Return shape and type of an array, which is not read.

        Raises:
            UsageError: it is no array, holds objects, or is not as large as its header says.
        """
        with self._entry(name) as entry:
            return self._header(name, entry)

    def array(self, name: str) -> NDArray[Any]:
        """Return an array; look at its `header` first, which bounds what is read.

        Raises:
            UsageError: as `header`, or it ends early or is damaged.
        """
        with self._entry(name) as entry:
            header = self._header(name, entry)
            data = bytearray()
            while piece := entry.read(min(_PIECE, header.size - len(data))):
                data += piece
            if len(data) != header.size:
                raise UsageError(f"{self._path!r}: {name!r} ends early")
        order: Any = "F" if header.fortran else "C"
        return np.frombuffer(data, header.dtype).reshape(header.shape, order=order)

    def _header(self, name: str, entry: IO[bytes]) -> Header:
        # Later versions are for headers of more than 64 KiB, which no array of numbers has; nothing
        # bounds those, so that gigabytes of header might be unpacked.
        if np.lib.format.read_magic(entry) != (1, 0):
            raise UsageError(f"{self._path!r}: {name!r} is no plain array of numbers")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(entry)
        if dtype.hasobject:
            raise UsageError(
                f"{self._path!r}: {name!r} holds Python objects, which only a pickle can; it is "
                "never loaded: save numbers"
            )
        found = Header(shape, dtype, fortran)
        whole = entry.tell() + found.size
        if self._infos[name].file_size != whole:
            raise UsageError(
                f"{self._path!r}: {name!r} is {self._infos[name].file_size} bytes, and {whole} by "
                f"its header, an array of shape {shape}"
            )
        return found

    @contextmanager
    def _entry(self, name: str) -> Iterator[IO[bytes]]:
        try:
            with self._zip.open(self._infos[name]) as entry:
                yield entry
        except (*_BROKEN, zipfile.BadZipFile, zlib.error) as error:
            said = " ".join(str(error).split())
            raise UsageError(f"{self._path!r}: {name!r} cannot be read: {said}") from None


@contextmanager
def opened(path: str, sha256: str | None = None) -> Iterator[Npz]:
    """Open an NPZ file.

    Args:
        path: from the working directory.
        sha256: what the file must have.

    Raises:
        UsageError: it cannot be read, is no NPZ file, or has changed.
    """
    try:
        with _regular(path).open("rb") as file:
            if sha256 is not None and (found := _digest(file)) != sha256:
                raise UsageError(
                    f"file {path!r} has SHA-256 {found}, {sha256} was meant: it has changed"
                )
            with zipfile.ZipFile(file) as archive:
                yield Npz(path, archive)
    except OSError as error:
        raise UsageError(f"cannot read file {path!r}: {error.strerror or error}") from None
    except zipfile.BadZipFile as error:
        raise UsageError(
            f"file {path!r} is no NPZ file ({error}); save it with numpy.savez_compressed"
        ) from None


def sha256_of(path: str) -> str:
    """Return the SHA-256 of a file.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with _regular(path).open("rb") as file:
            return _digest(file)
    except OSError as error:
        raise UsageError(f"cannot read file {path!r}: {error.strerror or error}") from None


def _digest(file: io.BufferedReader) -> str:
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest


def _regular(path: str) -> Path:
    found = Path(path)
    if found.exists() and not found.is_file():  # a FIFO would be waited for
        raise UsageError(f"file {path!r} is no regular file")
    return found

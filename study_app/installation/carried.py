"""What a copy of an installation consists of, and its manifest."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from engine.errors import PlausiblyError, UsageError

MANIFEST = "manifest.json"
FORMAT = 1
DATABASES: dict[str, Literal["sqlite", "postgresql"]] = {
    "study.db": "sqlite",
    "study.pgdump": "postgresql",
}
"""The database's file in a copy, and what it is of."""


@dataclass(frozen=True)
class Carried:
    """The manifest of a copy.

    Attributes:
        made: when, as ISO 8601 in UTC: nothing later is in it.
        database: the name of the database's file, one of `DATABASES`.
        key_fingerprint: of the key in it; None where none was used yet.
        files: SHA-256 (hex) by path, relative and with "/".
        left_out: sentences about artifacts that are not in it.
    """

    made: str
    database: str
    key_fingerprint: str | None
    files: dict[str, str]
    left_out: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Write the manifest of the copy in `folder`."""
        with (folder / MANIFEST).open("x", encoding="utf-8") as file:
            json.dump({"format": FORMAT, **asdict(self)}, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())


def read(folder: Path) -> Carried:
    """Return the manifest of the copy in `folder`.

    Raises:
        UsageError: there is none, or it is of a newer program.
    """
    try:
        found: Any = json.loads((folder / MANIFEST).read_bytes())
        if found.pop("format") != FORMAT:
            raise UsageError(f"{folder} was made by a newer version of Plausibly; use that one")
        carried = Carried(**{**found, "left_out": tuple(found["left_out"])})
        known = carried.database in DATABASES and carried.database in carried.files
        if not known or not all(_stays_inside(name) for name in carried.files):
            raise ValueError("names that no copy has")
    except UsageError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{folder} is no copy that 'plausibly backup' made: its {MANIFEST} cannot be used "
            f"({type(error).__name__})"
        ) from None
    return carried


def copy_file(source: Path, target: Path) -> str:
    """Copy one file durably, readable by its owner alone; return the SHA-256 (hex) of its bytes.

    Raises:
        PlausiblyError: it is no regular file.
        OSError: it cannot be read or written.
    """
    if source.is_symlink() or not source.is_file():
        raise PlausiblyError(f"{source} is no regular file")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with source.open("rb") as reading, os.fdopen(descriptor, "wb") as writing:
        while block := reading.read(2**20):
            digest.update(block)
            writing.write(block)
        writing.flush()
        os.fsync(writing.fileno())
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stays_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\0" not in name

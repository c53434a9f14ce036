"""Datasets that others publish: where their files lie, how they are fetched and checked.

A download is resumed where it was cut, compared with its SHA-256 and only then given its name.
Where no hash is known for certain, the size is compared, and the hash of the first download is
written beside the file (`NAME.sha256`), so that a later change is noticed: trust on first use.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from engine.datasets._dataset import Dataset
from engine.errors import PlausiblyError, UsageError

FOLDER_VARIABLE = "PLAUSIBLY_DATASETS"
_CHUNK = 1 << 18
_ATTEMPTS = 3
_TIMEOUT_S = 30

Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Told of a download: the file's name, bytes so far, bytes in all where the server says so."""


@dataclass(frozen=True)
class File:
    """A published file.

    Attributes:
        name: of the file, in the dataset's folder.
        url: where its authors, or a mirror, publish it.
        sha256: its hash, where known for certain.
        size: its length in bytes, where that is all that is known.
    """

    name: str
    url: str
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class Check:
    """What `verify` found of one file.

    Attributes:
        name: of the file.
        status: "ok", "recorded" (as at its first download; no published hash to compare with),
            "unknown" (there, but nothing to compare with), "wrong" or "missing".
        sha256: of the file that is there.
        detail: what is wrong, in words.
    """

    name: str
    status: str
    sha256: str | None = None
    detail: str = ""


class Published(Dataset):
    """A dataset read from published files, which `fetch` downloads and nothing else does.

    Attributes:
        root: folder of the files. None: the folder that PLAUSIBLY_DATASETS names, else
            `plausibly/datasets` in the user's cache; in it, one folder per dataset. A path given
            here is part of the configuration and thereby of what results are filed under; the
            other two are not.
    """

    files: ClassVar[tuple[File, ...]] = ()

    root: str | None = None

    @property
    def folder(self) -> Path:
        """The folder that the files are in, or will be."""
        if self.root is not None:
            return Path(self.root).expanduser()
        given = os.environ.get(FOLDER_VARIABLE)
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        return (Path(given).expanduser() if given else cache / "plausibly" / "datasets") / self.name

    def wanted(self) -> tuple[File, ...]:
        """Return the files that this configuration reads."""
        return self.files

    def path(self, name: str) -> Path:
        """Return the path of the file `name`.

        Raises:
            PlausiblyError: it is not there.
        """
        path = self.folder / name
        if not path.is_file():
            raise PlausiblyError(
                f"{self.name}: {path} is missing; fetch it with `plausibly datasets fetch "
                f"{self.name}`, or name the folder that has it: root in the configuration, "
                f"or {FOLDER_VARIABLE} in the environment"
            )
        return path

    def present(self) -> bool:
        """Whether every file is there; their content is not looked at."""
        return all((self.folder / file.name).is_file() for file in self.wanted())

    def fetch(self, progress: Progress | None = None) -> list[Check]:
        """Download what is missing, resuming what was cut, and check it.

        Raises:
            PlausiblyError: no connection, a cut download, a wrong hash or size, no disk space.
        """
        made = []
        for file in self.wanted():
            if not (self.folder / file.name).is_file():
                _download(file, self.folder, progress or (lambda *_: None))
            check = self._check(file)
            if check.status == "wrong":
                raise PlausiblyError(
                    f"{self.name}: {self.folder / file.name} {check.detail}; "
                    "move it away and fetch again"
                )
            made.append(check)
        return made

    def verify(self) -> list[Check]:
        """Hash every file and compare; raises nothing."""
        return [self._check(file) for file in self.wanted()]

    def _check(self, file: File) -> Check:
        path = self.folder / file.name
        if not path.is_file():
            return Check(file.name, "missing", None, f"{path} is missing")
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if file.sha256 is not None:
            if found == file.sha256:
                return Check(file.name, "ok", found)
            return Check(
                file.name, "wrong", found, f"has SHA-256 {found}, published is {file.sha256}"
            )
        size = path.stat().st_size
        if file.size is not None and size != file.size:
            return Check(
                file.name, "wrong", found, f"has {size} bytes, the published file {file.size}"
            )
        record = _record(path)
        if not record.is_file():
            return Check(file.name, "unknown", found, "no published hash to compare with")
        if record.read_text().split()[:1] != [found]:
            return Check(
                file.name, "wrong", found, f"has SHA-256 {found}, not the one in {record.name}"
            )
        return Check(file.name, "recorded", found, "as at its first download")


@contextmanager
def damaged(path: Path, what: str, *errors: type[BaseException]) -> Iterator[None]:
    """Turn a reader's errors into one that names the file and what it should be."""
    try:
        yield
    except errors as error:
        said = str(error) or type(error).__name__
        raise PlausiblyError(
            f"{path} is damaged or not {what}: {said}; fetch or copy it again"
        ) from None


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _download(file: File, folder: Path, progress: Progress) -> None:
    """Download one file under its name; what was cut stays as NAME.part for the next time."""
    import pooch

    # It would tell hashes on the way; ours are kept in files.
    pooch.get_logger().setLevel("WARNING")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(
            file.url,
            known_hash=f"sha256:{file.sha256}" if file.sha256 else None,
            fname=file.name,
            path=folder,
            downloader=_Resuming(file, progress),
        )
        path = folder / file.name
        if file.size is not None and path.stat().st_size != file.size:
            found = path.stat().st_size
            path.unlink()
            raise PlausiblyError(
                f"{file.url} sent {found} bytes, the published file has {file.size}; "
                "it was deleted. Try again later, or another source"
            )
        if file.sha256 is None:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            _record(path).write_text(f"{digest}  {path.name}\n")
    except ValueError as error:
        raise PlausiblyError(
            f"{file.url} sent something else than was published (it was deleted): "
            f"{' '.join(str(error).split())}"
        ) from None
    except OSError as error:
        raise _no_space(error, folder) from None


def _no_space(error: OSError, folder: Path) -> PlausiblyError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PlausiblyError(
            f"no space left on the disk of {folder}; free some and fetch again, it resumes, "
            f"or set {FOLDER_VARIABLE} to a folder elsewhere"
        )
    return PlausiblyError(f"cannot write to {folder}: {error.strerror or error}")


class _Resuming:
    """A downloader for pooch that goes on where an earlier download was cut."""

    def __init__(self, file: File, progress: Progress) -> None:
        self._file = file
        self._progress = progress

    def __call__(self, url: str, output_file: Any, _: Any) -> None:
        part = Path(str(output_file)).parent / f"{self._file.name}.part"
        problem = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(0.2 * attempt)
            try:
                if self._continue(url, part):
                    shutil.move(part, output_file)
                    return
                problem = "the connection was cut"
            except urllib.error.HTTPError as error:
                error.close()
                if error.code != 416:
                    raise PlausiblyError(
                        f"{url} answers {error.code} {error.reason}; get {self._file.name} "
                        f"elsewhere and put it into {part.parent}"
                    ) from None
                # What is there does not fit what the server has now.
                part.unlink(missing_ok=True)
                problem = "the file there has changed"
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                problem = str(error.reason if isinstance(error, urllib.error.URLError) else error)
        done = part.stat().st_size if part.exists() else 0
        raise PlausiblyError(
            f"{url}: {problem} after {done} bytes; fetch again to go on from there"
        )

    def _continue(self, url: str, part: Path) -> bool:
        """Append what is missing to `part`; whether it is whole now."""
        import http.client

        if not url.startswith(("http://", "https://")):
            raise UsageError(f"{url} is not a web address")
        have = part.stat().st_size if part.exists() else 0
        request = urllib.request.Request(url, headers={"User-Agent": "plausibly"})  # noqa: S310
        if have:
            request.add_header("Range", f"bytes={have}-")
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:  # noqa: S310
            resumed = reply.status == 206
            have = have if resumed else 0
            length = reply.headers.get("Content-Length")
            total = have + int(length) if length is not None else None
            self._require_space(part.parent, total, have)
            self._progress(self._file.name, have, total)
            with part.open("ab" if resumed else "wb") as out:
                while True:
                    try:
                        chunk = reply.read1(_CHUNK)
                    except http.client.IncompleteRead as error:
                        chunk = error.partial
                    if not chunk:
                        break
                    out.write(chunk)
                    have += len(chunk)
                    self._progress(self._file.name, have, total)
        return total is None or have == total

    def _require_space(self, folder: Path, total: int | None, have: int) -> None:
        free = shutil.disk_usage(folder).free
        if total is not None and total - have > free:
            raise PlausiblyError(
                f"{self._file.name} needs {total - have} more bytes, the disk of {folder} has "
                f"{free} left; free some, or set {FOLDER_VARIABLE} to a folder elsewhere"
            )

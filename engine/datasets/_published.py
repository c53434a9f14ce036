"""Datasets that others publish: where their files lie, how they are fetched and checked.

A download is resumed where it was cut, compared with its SHA-256 and only then given its name.
A file may also be there in other forms, unpacked say; loaders, `present` and `verify` all ask
`Published.found` which form is read.
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
from typing import Any, ClassVar, Final, Literal, TypeAlias

from engine import canonical
from engine.datasets._dataset import Data, Dataset
from engine.datasets._decoded import Decode, shared
from engine.errors import PlausiblyError, UsageError

FOLDER_VARIABLE = "PLAUSIBLY_DATASETS"
_CHUNK = 1 << 18
_ATTEMPTS = 3
_TIMEOUT_S = 30

Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Told of a download: the file's name, bytes so far, bytes in all where the server says so."""


Status: TypeAlias = Literal["as published", "not as published", "unknown", "missing"]
AS_PUBLISHED: Final = "as published"
NOT_AS_PUBLISHED: Final = "not as published"
UNKNOWN: Final = "unknown"
MISSING: Final = "missing"


@dataclass(frozen=True)
class File:
    """A published file, or a part of what is unpacked from one.

    Attributes:
        name: of the file, in the dataset's folder; it may have folders of its own.
        url: where its authors, or a mirror, publish it; "" for what is unpacked.
        sha256: its hash, where known.
        unpacked: the other forms in which it is read, each as the files that belong to it. The
            first that is whole is read, before the file itself.
        without: how a configuration does without the file; "" where it cannot.
    """

    name: str
    url: str = ""
    sha256: str | None = None
    unpacked: tuple[tuple[File, ...], ...] = ()
    without: str = ""


@dataclass(frozen=True)
class Check:
    """What `verify` found of one file.

    Attributes:
        name: of the file.
        status: whether its hash is the published one; "unknown" where none is known.
        sha256: of the file that is there.
        detail: in words, what is wrong.
    """

    name: str
    status: Status
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
        return (Path(given).expanduser() if given else _cache() / "datasets") / self.name

    def wanted(self) -> tuple[File, ...]:
        """Return the files that this configuration reads."""
        return self.files

    def found(self, file: File) -> tuple[File, ...]:
        """Return what is read for a file: its first form that is whole, else the file itself."""
        for form in (*file.unpacked, (file,)):
            if all((self.folder / each.name).is_file() for each in form):
                return form
        return (file,)

    def paths(self, file: File) -> list[Path]:
        """Return the paths of what is read for a file; see `found`.

        Raises:
            PlausiblyError: it is not there, or not all of it.
        """
        if not self._there(file):
            raise PlausiblyError(
                f"{self.name}: {self._lacking(file)}; fetch it with `plausibly datasets fetch "
                f"{self.name}`, or name the folder that has it: root in the configuration, "
                f"or {FOLDER_VARIABLE} in the environment{_or_without(file)}"
            )
        return [self.folder / each.name for each in self.found(file)]

    def kept(self, version: int, decode: Decode) -> Data:
        """Return what `decode` makes of the files, decoded once for all processes.

        It is kept beside the files, or in the user's cache where that cannot be written; its name
        is decided by the configuration, the content of the files and the decoder's version.

        Raises:
            PlausiblyError: a file is missing; what `decode` raises.
        """
        config = {name: value for name, value in self.config().items() if name != "root"}
        digest = hashlib.sha256(f"{version} {canonical.dumps(config)}".encode())
        for path in [path for file in self.wanted() for path in self.paths(file)]:
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        places = [self.folder, _cache() / "decoded" / self.name]
        return shared(places, digest.hexdigest()[:16], decode)

    def state(self) -> str:
        """Say what of the files is there: "here", "here, unpacked", "partly here" or "to fetch"."""
        found = {file: self._there(file) for file in self.wanted()}
        if not any(found.values()):
            return "to fetch"
        if not all(found.values()):
            return "partly here"
        packed = all(self.found(file) == (file,) for file in found)
        return "here" if packed else "here, unpacked"

    def present(self) -> bool:
        """Whether every file is there, in any form; their content is not looked at."""
        return all(map(self._there, self.wanted()))

    def _there(self, file: File) -> bool:
        return all((self.folder / each.name).is_file() for each in self.found(file))

    def _lacking(self, file: File) -> str:
        """Say that a file is missing, and what is where it was unpacked in part."""
        said = f"{self.folder / file.name} is missing"
        for form in file.unpacked:
            lacking = [each.name for each in form if not (self.folder / each.name).is_file()]
            if len(lacking) < len(form):
                return f"{said}; of what was unpacked from it there is no {', '.join(lacking)}"
        return said

    def fetch(self, progress: Progress | None = None) -> list[Check]:
        """Download what is missing, resuming what was cut, and check it.

        Raises:
            PlausiblyError: no connection, a cut download, a wrong hash or size, no disk space.
        """
        made = []
        for file in self.wanted():
            if not self._there(file):
                _download(file, self.folder, progress or (lambda *_: None))
            for each in self.found(file):
                check = self._check(each)
                if check.status == NOT_AS_PUBLISHED:
                    raise PlausiblyError(
                        f"{self.name}: {self.folder / each.name} {check.detail}; "
                        "move it away and fetch again"
                    )
                made.append(check)
        return made

    def verify(self) -> list[Check]:
        """Hash every file that is read and compare; raises nothing."""
        checks = []
        for file in self.wanted():
            if self._there(file):
                checks += [self._check(each) for each in self.found(file)]
            else:
                detail = f"{self._lacking(file)}{_or_without(file)}"
                checks.append(Check(file.name, MISSING, None, detail))
        return checks

    def _check(self, file: File) -> Check:
        with (self.folder / file.name).open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if file.sha256 is None:
            return Check(file.name, UNKNOWN, found, "no published hash to compare with")
        if found == file.sha256:
            return Check(file.name, AS_PUBLISHED, found)
        detail = f"has SHA-256 {found}, published is {file.sha256}"
        return Check(file.name, NOT_AS_PUBLISHED, found, detail)


def _cache() -> Path:
    """Return the folder in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "plausibly"


def _or_without(file: File) -> str:
    return f"; or do without it: {file.without}" if file.without else ""


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

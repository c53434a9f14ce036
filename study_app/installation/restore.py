"""A copy becomes an installation again: verified first, whole or absent."""

from __future__ import annotations

import errno
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from db.backends.files import sync
from engine.errors import PlausiblyError, UsageError
from study_app.installation import carried
from study_app.installation.carried import DATABASES, Carried
from study_app.installation.settings import Settings


@dataclass(frozen=True)
class Restored:
    """What was restored where, and where what was there before is now."""

    home: Path
    copy: Carried
    before: Path | None

    @property
    def archive(self) -> Path | None:
        """The archive that is still to be given to a PostgreSQL server, if it is of one."""
        of_server = DATABASES[self.copy.database] == "postgresql"
        return self.home / self.copy.database if of_server else None


def restore(settings: Settings, folder: Path, *, replace: bool = False) -> Restored:
    """Make PLAUSIBLY_HOME from the copy in `folder`; every file is compared with its hash.

    Args:
        settings: where the installation is to be.
        folder: the copy.
        replace: move what is there aside instead of refusing to go on.

    Raises:
        UsageError: `folder` is no copy, the home holds something, or DATABASE_URL is set.
        PlausiblyError: a file is not as it was copied, or the home cannot be written.
    """
    copy = carried.read(folder)
    if settings.database_url is not None and DATABASES[copy.database] == "sqlite":
        raise UsageError(
            "DATABASE_URL is set, and this copy has its database in a file; unset it first"
        )
    home = settings.home.resolve()
    held = sorted(path.name for path in home.iterdir()) if home.is_dir() else []
    if held and not replace:
        raise UsageError(
            f"{home} holds data ({', '.join(held[:3])}{', …' if len(held) > 3 else ''}): name an "
            "empty folder by PLAUSIBLY_HOME, or give --replace, which moves what is there aside"
        )
    partial: Path | None = None
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{home.name}.", dir=home.parent))
        _fill(partial, folder, copy)
        before = _put_in_place(partial, home, held=bool(held))
    except OSError as error:
        raise PlausiblyError(_reason(error, home)) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
    return Restored(home, copy, before)


def _fill(partial: Path, folder: Path, copy: Carried) -> None:
    for name, expected in copy.files.items():
        try:
            found = carried.copy_file(folder / name, partial / name)
        except FileNotFoundError:
            found = ""
        except PlausiblyError:
            found = ""
        if found != expected:
            raise PlausiblyError(
                f"{folder / name} is not what was copied (SHA-256); nothing was restored: take "
                "another copy"
            )


def _put_in_place(partial: Path, home: Path, *, held: bool) -> Path | None:
    """Let a finished folder become the home; return where the one before it is now."""
    before = None
    if held:
        before = home.with_name(f"{home.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
        home.rename(before)
    elif home.exists():
        home.rmdir()
    try:
        partial.rename(home)
    except OSError:
        if before is not None:
            before.rename(home)
        raise
    sync(home.parent)
    return before


def _reason(error: OSError, home: Path) -> str:
    if error.errno in (errno.EBUSY, errno.EXDEV):
        return (
            f"{home} is where a file system is mounted, and cannot be replaced as a whole; name a "
            "folder below it by PLAUSIBLY_HOME"
        )
    return f"{home} could not be restored: {error.strerror or error}; nothing was changed"

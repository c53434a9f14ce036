"""A copy of the whole installation: database, key, and the artifacts that its studies rest on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from db import repository
from db.backends.files import sync
from db.session import Database
from engine.artifacts import ArtifactStore
from engine.errors import ArtifactError, PlausiblyError, UsageError
from study_app.installation import carried
from study_app.installation.carried import Carried
from study_app.installation.key import FILE as KEY
from study_app.installation.key import require_key
from study_app.installation.settings import Settings


@dataclass(frozen=True)
class Backup:
    """A finished copy: its folder, how many artifacts and bytes it has, what it lacks."""

    folder: Path
    artifacts: int
    bytes: int
    left_out: tuple[str, ...]


def backup(
    settings: Settings, database: Database, target: Path, *, everything: bool = False
) -> Backup:
    """Copy the installation into the folder `target`, also while it is in use; whole or absent.

    Args:
        settings: where the installation is.
        database: its database.
        target: a folder that is not there yet, or empty.
        everything: every artifact, not only those that published studies rest on.

    Raises:
        UsageError: `target` holds something.
        PlausiblyError: the key is not the database's, or the copy cannot be written.
        DatabaseError: the database cannot be copied.
    """
    target = target.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} exists and is not an empty folder; name another one")
    partial: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        made = _fill(partial, settings, database, everything=everything)
        if target.exists():
            target.rmdir()
        partial.rename(target)
        sync(target.parent)
    except OSError as error:
        raise PlausiblyError(
            f"The copy {target} could not be written: {error.strerror or error}"
        ) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
    return Backup(target, *made)


def _fill(
    folder: Path, settings: Settings, database: Database, *, everything: bool
) -> tuple[int, int, tuple[str, ...]]:
    """Write the copy into `folder`; return its artifacts, its bytes and what was left out."""
    made = datetime.now(UTC).isoformat(timespec="seconds")
    name = "study.pgdump" if database.path is None else "study.db"
    # Artifacts never change: only the database must be of one moment.
    database.backup(folder / name)
    files = {name: carried.sha256_of(folder / name)}
    with database.read() as s:
        fingerprint, wanted = repository.key_fingerprint(s), repository.artifact_keys(s)
        used = fingerprint is not None or repository.key_was_used(s)
    if used:
        require_key(settings, database)
        files[KEY] = carried.copy_file(settings.home / KEY, folder / KEY)
    found, left_out = _chosen(settings.store, wanted, everything=everything)
    for path in found:
        place = f"artifacts/{path.parent.name}/{path.name}"
        copied = {
            f"{place}/{each.name}": carried.copy_file(each, folder / place / each.name)
            for each in sorted(path.iterdir())
            if each.is_file() and not each.is_symlink()
        }
        if _is_whole(ArtifactStore(folder / "artifacts"), path):
            files |= copied
            continue
        shutil.rmtree(folder / place, ignore_errors=True)
        left_out.append(
            f"artifact {path.parent.name}/{path.name[:12]}… is damaged: plausibly verify "
            f"{path.name[:12]} says how"
        )
    Carried(made, name, fingerprint, files, tuple(left_out)).write(folder)
    count = len({each.rpartition("/")[0] for each in files if each.startswith("artifacts/")})
    return count, sum((folder / each).stat().st_size for each in files), tuple(left_out)


def _chosen(
    store: ArtifactStore, wanted: Iterable[str], *, everything: bool
) -> tuple[list[Path], list[str]]:
    """Return the folders of the artifacts to copy, and a sentence for each that is not there."""
    if everything:
        return sorted(p for p in store.root.glob("*/*") if not p.name.startswith(".")), []
    found: dict[str, Path] = {}
    left_out = []
    waiting = sorted(wanted)
    while waiting:
        key = waiting.pop()
        if key in found:
            continue
        path = next(iter(store.root.glob(f"*/{key}")), None)
        if path is None:
            left_out.append(
                f"artifact {key[:12]}… is not in {store.root}: studies go on, but where their "
                "pictures come from cannot be followed there"
            )
            continue
        found[key] = path
        waiting += _parents(store, path)
    return sorted(found.values()), list(dict.fromkeys(left_out))


def _parents(store: ArtifactStore, path: Path) -> Iterator[str]:
    try:
        artifact = store.get(path.parent.name, path.name)
    except ArtifactError:
        return  # said where it is copied
    yield from (parent.key for parent in artifact.recipe.parents.values())


def _is_whole(store: ArtifactStore, path: Path) -> bool:
    try:
        return not store.get(path.parent.name, path.name).problems()
    except ArtifactError:
        return False

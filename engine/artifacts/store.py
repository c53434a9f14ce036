"""The artifact store: results on disk, found by what made them and checked by what they hold.

An artifact is a folder `<kind>/<key>` with its files and a `manifest.json`. The key is the SHA-256
of everything that decides the content (`Recipe`), of the artifacts that it is made from both their
keys and their contents; `content_sha256` covers the files. A folder is
written under a temporary name and renamed, so an artifact is whole or absent. Weights are
safetensors, arrays npz without pickle, images PNG. Every read is checked against the manifest:
a damaged file is an error, never a silent input.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine import canonical
from engine.artifacts import provenance
from engine.artifacts.entries import Entries
from engine.artifacts.writing import sync
from engine.errors import ArtifactError, MachineError

SCHEMA_VERSION = 2
"""Of recipes. 2: a parent enters a child's key by its own key and its content. 1: by its content
alone, which is not all that a model is: two with equal weights and other architectures shared what
was made from them. Recipes that are stored with 1 keep the key that they have."""
MANIFEST = "manifest.json"
NUMERIC_PATH: dict[str, Any] = {"precision": "float32", "threads": 1, "mode": "eager"}
"""What changes last bits by design: one thread a job, eager float32. Trainings with an
input-gradient penalty have the mode `closed_form` (`engine.training.double_backward`)."""
_STALE_DRAFT_S = 24 * 3600
_OF_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


@dataclass(frozen=True)
class Parent:
    """An artifact that another one was made from."""

    kind: str
    key: str
    content_sha256: str


@dataclass(frozen=True)
class Recipe:
    """Everything that decides an artifact's content.

    Attributes:
        kind: what it is: model, examples, maps, evaluation, experiment.
        config: the resolved configuration, as JSON.
        parents: the artifacts it is made from, by role.
        data_sha256: checksum of the dataset it rests on.
        versions: the versions of the components that make it, by noun.
        numeric_path: see `NUMERIC_PATH`.
        schema: see `SCHEMA_VERSION`; earlier programs stored none, which is 1.
    """

    kind: str
    config: dict[str, Any]
    parents: dict[str, Parent] = field(default_factory=dict)
    data_sha256: str | None = None
    versions: dict[str, int] = field(default_factory=dict)
    numeric_path: dict[str, Any] = field(default_factory=lambda: dict(NUMERIC_PATH))
    schema: int = SCHEMA_VERSION

    @property
    def key(self) -> str:
        """SHA-256 (hex) over all of it; of a parent its kind, key and content.

        Without parents it is the same in every schema, so that no model is trained again.
        """
        schema = self.schema if self.parents else 1
        return canonical.sha256(
            {
                "schema": schema,
                "kind": self.kind,
                "config": self.config,
                "parents": {
                    role: parent.content_sha256 if schema == 1 else asdict(parent)
                    for role, parent in self.parents.items()
                },
                "data_sha256": self.data_sha256,
                "versions": self.versions,
                "numeric_path": self.numeric_path,
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as JSON, for a manifest or a worker process."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Recipe:
        """Rebuild a recipe from `to_json`, of this program or an earlier one.

        Raises:
            ValueError: it has a schema that this program does not know.
        """
        parents = {role: Parent(**parent) for role, parent in value["parents"].items()}
        recipe = cls(**{"schema": 1, **value, "parents": parents})
        if recipe.schema not in range(1, SCHEMA_VERSION + 1):
            raise ValueError(f"recipe of schema {recipe.schema}, known up to {SCHEMA_VERSION}")
        return recipe


@dataclass(frozen=True)
class Artifact:
    """A stored result. Reading a file checks its hash first."""

    path: Path
    manifest: dict[str, Any]

    @property
    def key(self) -> str:
        """The SHA-256 of its recipe; its folder's name."""
        return str(self.manifest["key"])

    @property
    def kind(self) -> str:
        """What it is: model, examples, maps, evaluation, experiment."""
        return str(self.manifest["recipe"]["kind"])

    @property
    def content_sha256(self) -> str:
        """SHA-256 over the names and hashes of its files."""
        return str(self.manifest["content_sha256"])

    @property
    def seconds(self) -> float:
        """How long making it took, by the clock on the wall."""
        return float(self.manifest["seconds"])

    @property
    def processor_seconds(self) -> float | None:
        """How much processor time making it took; None where it was not recorded yet."""
        found = self.manifest.get("processor_seconds")
        return None if found is None else float(found)

    @property
    def recipe(self) -> Recipe:
        """What it was made from."""
        return Recipe.from_json(self.manifest["recipe"])

    def as_parent(self) -> Parent:
        """Return the reference that a child's recipe holds."""
        return Parent(self.kind, self.key, self.content_sha256)

    def sha256(self, name: str) -> str:
        """Return the recorded SHA-256 of the file `name`."""
        return str(self.manifest["files"][name]["sha256"])

    def read(self, name: str) -> bytes:
        """Return the bytes of the file `name`.

        Raises:
            ArtifactError: the file is missing or its hash is not the recorded one.
        """
        expected = self.sha256(name)
        try:
            data = (self.path / name).read_bytes()
        except OSError as error:
            raise ArtifactError(self.damage(f"{name} cannot be read ({error.strerror})")) from None
        found = hashlib.sha256(data).hexdigest()
        if found != expected:
            raise ArtifactError(
                self.damage(f"{name} has SHA-256 {found[:12]}…, recorded was {expected[:12]}…")
            )
        return data

    def json(self, name: str) -> Any:
        """Return the parsed JSON file `name`, checked."""
        return json.loads(self.read(name))

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays of the npz file `name`, checked; pickled arrays are refused."""
        return dict(self.entries(name))

    def entries(self, name: str) -> Entries:
        """Return the arrays of the npz file `name`, checked; each is unpacked when asked for."""
        return Entries(self.read(name))

    def problems(self) -> list[str]:
        """Re-hash every file; return a sentence for each that is not as recorded."""
        found = []
        for name in self.manifest["files"]:
            try:
                self.read(name)
            except ArtifactError as error:
                found.append(str(error))
        extra = {p.name for p in self.path.iterdir()} - {*self.manifest["files"], MANIFEST}
        found += [self.damage(f"{name} does not belong to it") for name in sorted(extra)]
        if self.recipe.key != self.key or self.path.name != self.key:
            found.append(self.damage("its recipe does not have its key"))
        if _content_sha256(self.manifest["files"]) != self.content_sha256:
            found.append(self.damage("its content hash is not that of its files"))
        return found

    def damage(self, what: str) -> str:
        """Return a sentence about damage to it, with what to do."""
        return (
            f"artifact {self.kind}/{self.key[:12]}… is damaged: {what}; "
            f"remove the folder {self.path} and run again to make it anew"
        )


class ArtifactStore:
    """All artifacts below one folder.

    Args:
        root: the folder; made when the first artifact is stored.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, recipe: Recipe) -> Artifact | None:
        """Return the artifact of `recipe`, or None when it has yet to be made."""
        path = self.root / recipe.kind / recipe.key
        return _load(path) if path.exists() else None

    def get(self, kind: str, key: str) -> Artifact:
        """Return the artifact `kind`/`key`.

        Raises:
            ArtifactError: it is not there, or its manifest cannot be read.
        """
        path = self.root / kind / key
        if not path.exists():
            raise ArtifactError(f"no artifact {kind}/{key[:12]}… in {self.root}")
        return _load(path)

    def parent(self, parent: Parent) -> Artifact:
        """Return the artifact that another one was made from, which is still what it was then.

        Raises:
            ArtifactError: it is not there, cannot be read, or its content is another: it was
                removed and made again with other bits, on another machine say.
        """
        artifact = self.get(parent.kind, parent.key)
        if artifact.content_sha256 != parent.content_sha256:
            raise ArtifactError(
                f"artifact {parent.kind}/{parent.key[:12]}… is not what others were made from: its "
                f"content is {artifact.content_sha256[:12]}…, theirs was "
                f"{parent.content_sha256[:12]}…; run the experiment again to make them anew from it"
            )
        return artifact

    def all(self, kind: str = "*") -> Iterator[Artifact]:
        """Yield the stored artifacts of `kind` (default: of every kind), oldest first."""
        paths = [p for p in self.root.glob(f"{kind}/*") if not p.name.startswith(".")]
        yield from sorted(map(_load, paths), key=lambda a: (a.manifest["created"], a.key))

    def scratch(self, recipe: Recipe) -> Path:
        """Return the path of a folder for unfinished work on `recipe`.

        It outlives a killed process and is removed when the artifact is stored.
        """
        return self.root / recipe.kind / f".unfinished-{recipe.key}"

    @contextmanager
    def draft(
        self,
        recipe: Recipe,
        *,
        seed: int | None = None,
        device: str = "cpu",
        environment: Mapping[str, Any] | None = None,
    ) -> Iterator[Path]:
        """Give a folder to write the files of `recipe` into; store it when the block succeeds.

        The folder has a temporary name until the end, so a killed process leaves no artifact.
        When two make the same artifact at once, the first to finish wins and both have it.

        Args:
            recipe: decides its key.
            seed: for the manifest.
            device: what it is computed on, for the manifest.
            environment: what else the manifest says of how it was computed, as it is at the end.

        Raises:
            MachineError: the disk is full or the folder is not writable.
        """
        home = self.root / recipe.kind
        draft = home / f".draft-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        try:
            draft.mkdir(parents=True)
            _sweep(home)
            started, computed = time.monotonic(), provenance.processor_seconds()
            yield draft
            spent = {
                "seconds": round(time.monotonic() - started, 3),
                "processor_seconds": round(provenance.processor_seconds() - computed, 3),
            }
            _seal(draft, recipe, seed, spent, {"device": device, **(environment or {})})
            with suppress(FileExistsError):
                _rename_once(draft, home / recipe.key)
            shutil.rmtree(self.scratch(recipe), ignore_errors=True)
        except Exception as error:
            fault = _fault_of_disk(error, home)
            if fault is None:
                raise
            raise MachineError(
                f"cannot write to {home}: {fault}; free some space or set "
                "PLAUSIBLY_HOME to another folder, then run again (finished work is kept)"
            ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _load(path: Path) -> Artifact:
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        artifact = Artifact(path, manifest)
        _ = (artifact.key, artifact.recipe, artifact.content_sha256, manifest["files"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"artifact {path.parent.name}/{path.name[:12]}… is damaged: its {MANIFEST} cannot be "
            f"read ({type(error).__name__}); remove the folder {path} and run again to make it anew"
        ) from None
    return artifact


def _seal(
    draft: Path,
    recipe: Recipe,
    seed: int | None,
    spent: Mapping[str, float],
    facts: Mapping[str, Any],
) -> None:
    files = {}
    for path in sorted(draft.iterdir()):
        data = path.read_bytes()
        files[path.name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        sync(path)
    manifest = {
        "schema": SCHEMA_VERSION,
        "key": recipe.key,
        "content_sha256": _content_sha256(files),
        "recipe": recipe.to_json(),
        "seed": seed,
        "files": files,
        "created": provenance.now(),
        **spent,
        "environment": {**provenance.environment(), **facts},
    }
    # Keys keep their order: arrays come in that of a recipe's parents, also when made again.
    (draft / MANIFEST).write_text(json.dumps(manifest, indent=1))
    sync(draft / MANIFEST)
    sync(draft)


def _content_sha256(files: dict[str, Any]) -> str:
    return canonical.sha256({name: entry["sha256"] for name, entry in files.items()})


def _rename_once(source: Path, target: Path) -> None:
    # rename() onto a folder that is not empty fails with ENOTEMPTY: somebody else was first.
    try:
        source.rename(target)
    except OSError:
        if not target.exists():
            raise
        raise FileExistsError from None
    sync(target.parent)


def _fault_of_disk(error: Exception, home: Path) -> str | None:
    """Return what the disk did if that is why writing below `home` failed, else None."""
    if not isinstance(error, OSError):
        # safetensors is written in Rust: it raises an error of its own, with the number in it.
        told = re.search(r"\(os error (\d+)\)", str(error))
        return os.strerror(int(told[1])) if told and int(told[1]) in _OF_DISK else None
    # A network that looks for a file of its own is at fault itself.
    elsewhere = isinstance(error.filename, str) and not Path(error.filename).is_relative_to(home)
    return None if elsewhere and error.errno not in _OF_DISK else error.strerror or str(error)


def _sweep(home: Path) -> None:
    """Remove drafts that killed processes left a day ago or longer."""
    for draft in home.glob(".draft-*"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > _STALE_DRAFT_S:
                shutil.rmtree(draft, ignore_errors=True)

"""The kinds of artifacts, found by their files, and reading an artifact by its kind."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, cast

from engine.artifacts import Artifact, ArtifactStore, Recipe, Role
from engine.errors import PlausiblyError

if TYPE_CHECKING:
    from engine.jobs.context import Job

T = TypeVar("T")

_PACKAGE = "engine.jobs"
_NO_KINDS = frozenset(("context", "making"))
"""Public files beside those of the kinds; others begin with an underscore."""


class Kind(Protocol):
    """What the module of a kind holds.

    It may also have `SECTION`, its part of an experiment file (`Section`), with
    `problems(section, runs)`, sentences for what is wrong with it in that file, and
    `NEEDS_REFERENCE`, and `notes(section, data)`, sentences for readers on what it asks of a
    dataset; and `STAGE` with `wanted(run, label)`, what an experiment wants of it for
    each model (`Asking`, `Request`), or `adopted(run)`, what is stored before the tasks of a run
    begin, each with what stores it from its recipe and the store. And `gone(recipe)`, a sentence
    where an artifact of an earlier version can be read and not be made again, else None.
    """

    VERSION: ClassVar[int | None]
    """Raised when the same recipe gives another result than before: the artifact is then made anew.
    None: the versions of its components decide alone."""

    def make(self, job: Job) -> None:
        """Write the files of one artifact into the job's draft."""

    def read(self, artifact: Artifact, reader: Reader) -> Any:
        """Return what an artifact holds, also one that an earlier version made."""


class Kinds:
    """The kinds by name, which is that of their file."""

    def names(self) -> list[str]:
        """Return the names of all kinds, sorted."""
        path = importlib.import_module(_PACKAGE).__path__
        found = (module.name for module in pkgutil.iter_modules(path))
        return sorted(name for name in found if name[0] != "_" and name not in _NO_KINDS)

    def get(self, name: str) -> Kind:
        """Return the kind `name`.

        Raises:
            PlausiblyError: there is none; a later version may have stored it.
        """
        if name not in self.names():
            raise PlausiblyError(
                f"unknown kind of artifact {name!r}; known: {', '.join(self.names())}"
            )
        return cast(Kind, importlib.import_module(f"{_PACKAGE}.{name}"))

    def all(self) -> dict[str, Kind]:
        """Return all kinds by name."""
        return {name: self.get(name) for name in self.names()}

    def having(self, attribute: str) -> dict[str, Any]:
        """Return the kinds that have this of what a kind may have, by name."""
        return {name: kind for name, kind in self.all().items() if hasattr(kind, attribute)}


kinds = Kinds()


def gone(recipe: Recipe) -> str | None:
    """Return why an artifact of an earlier version cannot be made again; None where it can."""
    says = kinds.having("gone").get(recipe.kind)
    return None if says is None else says.gone(recipe)


class Reader:
    """Reads artifacts by their kinds, each once.

    Args:
        store: where they and their parents lie.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self.store = store
        self._kept: dict[Any, Any] = {}

    def read(self, artifact: Artifact) -> Any:
        """Return what the artifact holds, as its kind says."""
        return self.once(
            (artifact.kind, artifact.key), lambda: kinds.get(artifact.kind).read(artifact, self)
        )

    def parent(self, artifact: Artifact, role: Role) -> Any:
        """Return what the artifact that another was made from holds."""
        return self.read(self.store.parent(artifact.recipe.parents[str(role)]))

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """Return what `make` gave for `key` the first time."""
        if key not in self._kept:
            self._kept[key] = make()
        return cast(T, self._kept[key])

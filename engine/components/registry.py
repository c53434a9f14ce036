"""Members found by name: one file per dataset, model, defense, attack and saliency method.

A member's name is the name of its file. Its class is decorated with the registry's `register` and
thereby becomes a component: frozen, typed, with a JSON schema and a repr that rebuilds it. Files
are imported when a member is first created, so that listing names costs no torch.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.components.complaints import mean_text, meant
from engine.errors import UsageError


class Component(BaseModel):
    """A named, frozen set of parameters with behaviour. Unknown parameters are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    name: ClassVar[str] = ""
    noun: ClassVar[str] = "component"
    room: ClassVar[str] = "components"
    """The package of its registry, by the name under which a reader imports it: "attacks"."""
    version: ClassVar[int] = 1
    """Raised when the same parameters give another result than before: old artifacts then no
    longer match, and are made anew."""

    def made_of(self) -> tuple[Component, ...]:
        """Return the members that it is made of; default: none."""
        return ()

    def versions(self) -> dict[str, int]:
        """Return its version, by noun, and those of its parts; what a recipe holds of it."""
        return {self.noun: self.version, **self.versions_of_parts()}

    def versions_of_parts(self) -> dict[str, int]:
        """Return the versions that are not 1 of its parts and of theirs, as `attack.pgd`."""
        found: dict[str, int] = {}
        for part in self.made_of():
            found |= {**versions_of(type(part)), **part.versions_of_parts()}
        return found

    def config(self) -> dict[str, Any]:
        """Return the resolved configuration as JSON: the name and every parameter."""
        return {"name": self.name, **self.model_dump(mode="json")}

    def __repr__(self) -> str:
        """Return the call that rebuilds this component where its room was imported by name.

        As after `from engine import attacks`: `attacks.create('fgsm', eps=0.3, …)`. What a
        parameter is made of stands there as plain mappings and lists.
        """
        params = "".join(f", {key}={value!r}" for key, value in sorted(self.model_dump().items()))
        return f"{self.room}.create({self.name!r}{params})"

    __str__ = __repr__


def versions_of(*members: type[Component]) -> dict[str, int]:
    """Return the versions of members that are not 1, as `attack.pgd`.

    For a recipe whose result they decide without being named in its configuration.
    """
    return {f"{each.noun}.{each.name}": each.version for each in members if each.version != 1}


C = TypeVar("C", bound=Component)


class Registry(Generic[C]):
    """The members of one package, by file name.

    Args:
        noun: what one member is, in the singular, for messages ("attack").
        package: the dotted name of the package that holds the member files.
        key: under which key of a mapping in a file a member's name stands.
    """

    def __init__(self, noun: str, package: str, *, key: str = "name") -> None:
        self.noun = noun
        self.key = key
        self._package = package
        self._members: dict[str, type[C]] = {}

    def names(self) -> list[str]:
        """Return the names of all members, sorted, importing none of them.

        A member is a file; a folder beside them is what they share, and so is `_name.py`.
        """
        path = importlib.import_module(self._package).__path__
        found = pkgutil.iter_modules(path)
        return sorted(m.name for m in found if not m.ispkg and not m.name.startswith("_"))

    def register(self, cls: type[C]) -> type[C]:
        """Class decorator: make `cls` the member named after its file."""
        cls.name = cls.__module__.rpartition(".")[2]
        cls.noun = self.noun
        cls.room = self._package.rpartition(".")[2]
        self._members[cls.name] = cls
        return cls

    def get(self, name: str) -> type[C]:
        """Return the class of the member `name`.

        Raises:
            UsageError: there is no such member; the message lists those there are.
        """
        if name not in self._members:
            if name not in self.names():
                names = self.names()
                raise UsageError(
                    f"unknown {self.noun} {name!r}{meant(name, names)}; known: {', '.join(names)}"
                )
            importlib.import_module(f"{self._package}.{name}")
        return self._members[name]

    def create(self, name: str, /, **params: Any) -> C:
        """Return the member `name` with `params`.

        Raises:
            UsageError: unknown member, or a parameter that it does not know or accept.
        """
        cls = self.get(name)
        try:
            return cls(**params)
        except ValidationError as error:
            raise UsageError(f"{self.noun} {name!r}: {explain(error, cls)}") from None

    def from_config(self, config: str | Mapping[str, Any]) -> C:
        """Return the member that `config` describes: a name, or a mapping with one."""
        if isinstance(config, str):
            return self.create(config)
        params = dict(config) if isinstance(config, Mapping) else {}
        name = params.pop(self.key, None)
        if not isinstance(name, str):
            article = "an" if self.noun[0] in "aeiou" else "a"
            raise UsageError(
                f"{article} {self.noun} is a name or a mapping with one, not {config!r}; "
                f"known: {', '.join(self.names())}"
            )
        for key in params:
            if not isinstance(key, str):
                raise UsageError(f"{self.noun} {name!r}: unknown parameter {key!r}")
        return self.create(name, **params)

    def schema(self, name: str) -> dict[str, Any]:
        """Return the JSON schema of the member's parameters."""
        return self.get(name).model_json_schema()


def explain(error: ValidationError, cls: type[BaseModel]) -> str:
    """Return all of a validation's complaints in one line, each with its place."""
    known = ", ".join(sorted(cls.model_fields)) or "none"
    said = []
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
            near = meant(place, list(cls.model_fields))
            said.append(f"unknown parameter {place!r}{near} (known: {known})")
        else:
            what = problem["msg"].removeprefix("Value error, ") + mean_text(problem)
            said.append(f"{place} = {problem['input']!r}: {what.lower()}" if place else what)
    return "; ".join(said)

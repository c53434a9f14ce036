"""Reading YAML documents that people write: experiments and studies.

Both are found by built-in name or by path, and both are refused with every problem at once, each
with its place.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from engine.components import complaints, yaml_text
from engine.components.registry import Component, Registry
from engine.errors import UsageError


class Document(BaseModel):
    """A part of a document: frozen, and unknown keys are refused."""

    apart: ClassVar[frozenset[str]] = frozenset()
    """Its keys without which what holds between all others can still be judged."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


D = TypeVar("D", bound=Document)


def member(registry: Registry[Any]) -> BeforeValidator:
    """Return the validator of a field that holds a registry's member: a name or a mapping."""

    def resolve(value: Any) -> Any:
        if isinstance(value, Component):
            return value
        try:
            return registry.from_config(value)
        except UsageError as error:
            raise ValueError(str(error)) from None

    return BeforeValidator(resolve)


def described(name: str, parameters: dict[str, Any], key: str = "name") -> dict[str, Any]:
    """Return the schema of a mapping that describes a member.

    Args:
        name: the member's.
        parameters: the member's schema.
        key: under which its name stands.
    """
    return {
        **parameters,
        "properties": {key: {"const": name}, **parameters.get("properties", {})},
        "required": [key, *parameters.get("required", [])],
    }


def complete(schema: dict[str, Any]) -> None:
    """Put in what pydantic leaves out of a document's schema.

    A field with `{"member": NOUN}` becomes a reference to the noun's definition, and labels that
    fit no pattern are refused.
    """
    for part in _parts(schema):
        if isinstance(part.get("member"), str):
            part["$ref"] = f"#/$defs/{part.pop('member')}"
        if "patternProperties" in part:
            part["additionalProperties"] = False


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping within `schema`, and itself."""
    if isinstance(schema, dict):
        yield schema
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list):
            yield from _parts(part)


def read(name_or_path: str, noun: str, built_in: Path) -> tuple[dict[str, Any], str]:
    """Return the document and the name of its file.

    Args:
        name_or_path: a built-in name, or the path of a file with a suffix.
        noun: what it is ("study"), for messages.
        built_in: the folder of the built-in ones.

    Raises:
        UsageError: there is none, it cannot be read, or it is not a YAML mapping.
    """
    document, where, _ = _read(name_or_path, noun, built_in)
    return document, where


def _read(name_or_path: str, noun: str, built_in: Path) -> tuple[dict[str, Any], str, str]:
    """Return what `read` does, and the text that it was read from."""
    path = Path(name_or_path)
    if not path.suffix:
        path = built_in / f"{name_or_path}.yaml"
    try:
        text = _text(path)
        document = yaml_text.parse(text)
    except FileNotFoundError:
        known = sorted(p.stem for p in built_in.glob("*.yaml"))
        raise UsageError(
            f"unknown {noun} {name_or_path!r}{complaints.meant(name_or_path, known)}; give a YAML "
            f"file or one of: {', '.join(known)}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    except yaml_text.RefusedError as error:
        raise UsageError(f"{path} is refused: {error}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise UsageError(f"{path} must hold a mapping with the keys of a {noun}")
    return document, path.name, text


def _text(path: Path) -> str:
    """Return the text of a file; a FIFO is refused, which would be waited for."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is no regular file")
    with path.open("rb") as file:
        data = file.read(yaml_text.MAX_BYTES + 1)  # what is too large need not be read
    if len(data) > yaml_text.MAX_BYTES:
        raise yaml_text.RefusedError(f"it is larger than {yaml_text.MAX_BYTES // 2**20} MiB")
    return data.decode("utf-8-sig")


def load(kind: type[D], name_or_path: str, noun: str, built_in: Path) -> D:
    """Read a document and validate it as `kind`; see `read` for the other arguments.

    Raises:
        UsageError: it cannot be read, or anything in it is wrong; the message lists every problem
            with its place.
    """
    document, where, text = _read(name_or_path, noun, built_in)
    try:
        return kind(**document)
    except ValidationError as error:
        lines = complaints.in_words(kind, document, error, text)
        count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
        raise UsageError("\n".join([f"{where} has {count}:", *lines])) from None

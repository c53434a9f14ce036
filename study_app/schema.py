"""The JSON schema of study files, for editors and checks.

A field that holds a member (question, provider) becomes a reference to all members of its kind,
each with its parameters. What holds between the parts of a file is beyond a schema:
`study_app.study` and `study_app.lint` check it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from engine.registry import Registry
from study_app import providers, questions
from study_app.study import Study

Schema: TypeAlias = dict[str, Any]

_REGISTRIES: dict[str, Registry[Any]] = {
    "question": questions.registry,
    "provider": providers.registry,
}


def study() -> Schema:
    """Return the schema (draft 2020-12) of study files."""
    whole = Study.model_json_schema()
    definitions: Schema = whole.setdefault("$defs", {})
    for noun, registry in _REGISTRIES.items():
        members = {f"{noun}.{name}": _member(registry, name) for name in registry.names()}
        for schema in members.values():
            definitions |= schema.pop("$defs", {})
        short = [n for n in registry.names() if members[f"{noun}.{n}"]["required"] == ["name"]]
        choices = [{"enum": short}, *({"$ref": f"#/$defs/{name}"} for name in members)]
        definitions |= {noun: {"oneOf": choices}, **members}
    for part in _parts(whole):
        if isinstance(part.get("member"), str):
            part["$ref"] = f"#/$defs/{part.pop('member')}"
        if "patternProperties" in part:
            part["additionalProperties"] = False  # other labels are refused
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **whole,
        "title": "Study file",
    }


def _member(registry: Registry[Any], name: str) -> Schema:
    """Return the schema of a mapping that describes the member `name`."""
    schema = registry.schema(name)
    return {
        **schema,
        "properties": {"name": {"const": name}, **schema.get("properties", {})},
        "required": ["name", *schema.get("required", [])],
    }


def _parts(schema: Any) -> Iterator[Schema]:
    """Yield every mapping within `schema`, and itself."""
    if isinstance(schema, dict):
        yield schema
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list):
            yield from _parts(part)

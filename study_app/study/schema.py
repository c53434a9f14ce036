"""The JSON schema of study files, for editors and checks.

A field that holds a member (question, provider, exclusion rule) becomes a reference to all members
of its kind, each with its parameters. What holds between the parts of a file is beyond a schema:
`study_app.study` and `study_app.lint` check it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from engine.components import Registry, yaml_files
from study_app import exclusions, providers, questions
from study_app.study.study_file import Study

Schema: TypeAlias = dict[str, Any]

_REGISTRIES: dict[str, Registry[Any]] = {
    "question": questions.registry,
    "provider": providers.registry,
    "exclusion": exclusions.registry,
}


def study() -> Schema:
    """Return the schema (draft 2020-12) of study files."""
    whole = Study.model_json_schema()
    definitions: Schema = whole.setdefault("$defs", {})
    for noun, registry in _REGISTRIES.items():
        members = {
            f"{noun}.{name}": yaml_files.described(name, registry.schema(name), registry.key)
            for name in registry.names()
        }
        for schema in members.values():
            definitions |= schema.pop("$defs", {})
        bare = [registry.key]
        short = [n for n in registry.names() if members[f"{noun}.{n}"]["required"] == bare]
        choices = [{"enum": short}, *({"$ref": f"#/$defs/{name}"} for name in members)]
        definitions |= {noun: {"oneOf": choices}, **members}
    yaml_files.complete(whole)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **whole,
        "title": "Study file",
    }

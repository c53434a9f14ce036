"""The JSON schema of experiment files, for editors and checks.

A field that holds a member has `{"member": NOUN}` in its own schema; here that becomes a reference
to all members of the noun, each with its parameters. What holds between the parts of a file (labels
that exist, one swept parameter) is beyond a schema: `engine.experiments.experiment_file` checks it.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from engine import attacks, datasets, defenses, metrics, models, preprocessing, saliency
from engine.components import Registry, yaml_files
from engine.experiments import experiment_file, sweeps
from engine.theory import linear

Schema: TypeAlias = dict[str, Any]

_REGISTRIES: dict[str, Registry[Any]] = {
    "dataset": datasets.registry,
    "model": models.registry,
    "defense": defenses.registry,
    "attack": attacks.registry,
    "saliency": saliency.registry,
    "metric": metrics.registry,
    "step": preprocessing.registry,
}
_NUMBERS = ("number", "integer")
_PAIR = r":\s*[^,]*[^,\s][^,]*,\s*[^,]*[^,\s][^,]*$"
"""What follows a dataset's name to make it a pair, as in `digits:3,8`."""


def experiment() -> Schema:
    """Return the schema (draft 2020-12) of experiment files of both kinds."""
    definitions: Schema = {"sweep": _sweep(), "defenses": _one_or_several("defense")}
    kinds = []
    for kind in (experiment_file.Experiment, linear.LinearTheory):
        schema = kind.model_json_schema()
        definitions |= schema.pop("$defs", {})
        definitions[kind.__name__] = schema
        kinds.append(_reference(kind.__name__))
    definitions["Experiment"]["oneOf"] = [{"required": [key]} for key in ("dataset", "datasets")]
    for noun, registry in _REGISTRIES.items():
        members = {f"{noun}.{name}": _member(registry, name) for name in registry.names()}
        named = [n for n in registry.names() if members[f"{noun}.{n}"]["required"] == ["name"]]
        choices = [{"enum": named}, *map(_reference, members)]
        if noun == "dataset":
            pairs = {name: f"^{re.escape(name)}{_PAIR}" for name in registry.names()}
            choices += [{"type": "string", "pattern": pairs[name]} for name in named]
            for name, pattern in pairs.items():
                members[f"dataset.{name}"]["properties"]["name"] = {
                    "anyOf": [{"const": name}, {"type": "string", "pattern": pattern}]
                }
        for schema in members.values():
            definitions |= schema.pop("$defs", {})
        definitions |= {noun: {"oneOf": choices}, **members}
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Experiment file",
        "oneOf": kinds,
        "$defs": definitions,
    }
    yaml_files.complete(whole)
    return whole


def _member(registry: Registry[Any], name: str) -> Schema:
    """Return the schema of a mapping that describes the member `name`."""
    schema = registry.schema(name)
    if registry is defenses.registry:
        schema["properties"] = {
            key: _swept(parameter) for key, parameter in schema.get("properties", {}).items()
        }
    return yaml_files.described(name, schema)


def _swept(parameter: Schema) -> Schema:
    """Return the schema of a defense's parameter; a number may be a sweep."""
    about: Schema = {key: parameter[key] for key in ("title", "default") if key in parameter}
    plain = {key: value for key, value in parameter.items() if key not in about}
    choices = plain.get("anyOf", [plain])
    if not any(choice.get("type") in _NUMBERS for choice in choices):
        return parameter
    return {**about, "anyOf": [*choices, _reference("sweep")]}


def _sweep() -> Schema:
    bound = {"type": "number", "exclusiveMinimum": 0}
    count = {"type": "integer", "minimum": 2, "maximum": sweeps.MOST}
    three = {"type": "array", "prefixItems": [bound, bound, count], "minItems": 3, "maxItems": 3}
    several = {
        "type": "array",
        "items": {"type": "number"},
        "minItems": 1,
        "maxItems": sweeps.MOST,
        "uniqueItems": True,
    }
    label = {"type": "string"}
    return {
        "description": "Several values, or the one that was chosen for the defense of that label.",
        "oneOf": [
            {
                "type": "object",
                "properties": {key: value},
                "required": [key],
                "additionalProperties": False,
            }
            for key, value in (("log", three), ("values", several), ("chosen", label))
        ],
    }


def _one_or_several(noun: str) -> Schema:
    one = _reference(noun)
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}

"""Reading YAML documents that people write: experiments and studies.

Both are found by built-in name or by path, and both are refused with every problem at once, each
with its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from engine.errors import UsageError


def read(name_or_path: str, noun: str, built_in: Path) -> tuple[dict[str, Any], str]:
    """Return the document and the name of its file.

    Args:
        name_or_path: a built-in name, or the path of a file with a suffix.
        noun: what it is ("study"), for messages.
        built_in: the folder of the built-in ones.

    Raises:
        UsageError: there is none, it cannot be read, or it is not a YAML mapping.
    """
    path = Path(name_or_path)
    if not path.suffix:
        path = built_in / f"{name_or_path}.yaml"
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in built_in.glob("*.yaml")))
        raise UsageError(
            f"unknown {noun} {name_or_path!r}; give a YAML file or one of: {known}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise UsageError(f"{path} must hold a mapping with the keys of a {noun}")
    return document, path.name


def problems(error: ValidationError, *prefix: str) -> list[str]:
    """Return one sentence a problem: its place (below `prefix`) and what is wrong there."""
    return [f"{_place((*prefix, *p['loc']))}: {_message(p)}" for p in error.errors()]


def refuse(where: str, said: Iterable[str]) -> UsageError:
    """Return the error that lists everything wrong with the document `where`."""
    lines = list(said)
    count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
    return UsageError("\n".join([f"{where} has {count}:", *(f"  {line}" for line in lines)]))


def _place(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc) or "document"


def _message(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return "unknown key"
    return str(problem["msg"]).removeprefix("Value error, ")

"""Findings as plain data, for JSON: no NaN, no infinity, no objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import datetime
from math import isfinite
from typing import Any

import numpy as np
from pydantic import BaseModel

from study_app.study import Difference


def plain(value: Any) -> Any:
    """Return `value` as dicts, lists, texts and numbers.

    What is not finite is None. A mapping whose keys are tuples becomes a list of {"of": key,
    "value": value}; a time its ISO text, and a difference of versions its sentence.

    Raises:
        TypeError: there is no plain form of it.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, BaseModel):
        return plain(value.model_dump(mode="json"))
    if isinstance(value, Difference):  # of parts of a file, which may be anything
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        if any(isinstance(key, tuple) for key in value):
            return [{"of": plain(key), "value": plain(each)} for key, each in value.items()]
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(plain(each) for each in value)
    if isinstance(value, Sequence):
        return [plain(each) for each in value]
    raise TypeError(f"no plain form of {type(value).__name__}")

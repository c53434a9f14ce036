"""Sizes of disturbances: how they are written, and how large they may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from engine.attacks._levels import LEVELS

_NUMBER = r"\d+(?:\.\d+)?"
_FRACTION = re.compile(rf"\s*({_NUMBER})\s*/\s*({_NUMBER})\s*", re.ASCII)
_NAMES = ("eps", "watch_eps", "step_size", "theta")
"""How sizes are called."""


def read(value: Any) -> Any:
    """Return the number that a fraction in words is, as in "8/255"; anything else as it is.

    Raises:
        ValueError: it is text and neither a number nor a fraction, or a truth value.
    """
    if isinstance(value, bool):
        raise ValueError("must be a number, or a fraction as in 8/255")
    if not isinstance(value, str):
        return value
    found = _FRACTION.fullmatch(value)
    if found is not None and float(found[2]):
        return float(found[1]) / float(found[2])
    try:
        return float(value)
    except ValueError:
        raise ValueError("must be a number, or a fraction as in 8/255") from None


def _written(**bounds: float) -> WithJsonSchema:
    """Return the schema of a number within bounds that may be written as a fraction."""
    fraction = {"type": "string", "pattern": rf"^\s*{_NUMBER}\s*/\s*{_NUMBER}\s*$"}
    return WithJsonSchema({"anyOf": [{"type": "number", **bounds}, fraction]})


Number: TypeAlias = Annotated[float, BeforeValidator(read), _written()]
"""Any number, which may be written as a fraction."""
Eps: TypeAlias = Annotated[
    float,
    BeforeValidator(read),
    Field(ge=0, allow_inf_nan=False),
    _written(minimum=0),
]
"""The size of a disturbance: finite, not negative, and as text a fraction, as in `8/255`.

What holds it says in which space and norm it is, and asks `require_within_pixels` where it must.
"""


def require_within_pixels(sizes: Mapping[str, float | None]) -> None:
    """Require sizes of L-inf disturbances of pixels, by name, to be at most 1; None is no size.

    Raises:
        ValueError: one is larger; the message says how levels are written.
    """
    for name, size in sizes.items():
        if size is not None and size > 1:
            fix = f"; {size:g} of 255 levels is {size:g}/255" if size <= LEVELS else ""
            raise ValueError(f"{name} {size:g}: pixels lie in [0, 1]{fix}")


def describe_pixels(schema: dict[str, Any]) -> None:
    """Put into the schema of an object with sizes what `require_within_pixels` requires of them."""
    properties = schema.get("properties", {})
    where = {name: {"const": "pixels"} for name in ("space", "watch_space") if name in properties}
    if "norm" in properties:
        if properties["norm"].get("default") != "linf":  # what is left out may mean another norm
            return
        where["norm"] = {"const": "linf"}
    bound = {"maximum": 1, "items": {"maximum": 1}}
    sizes = [name for name in properties if name in _NAMES]
    schema["if"] = {"properties": where}
    schema["then"] = {"properties": dict.fromkeys(sizes, bound)}


def _within_pixels(size: float) -> float:
    require_within_pixels({"eps": size})
    return size


PixelEps: TypeAlias = Annotated[Eps, AfterValidator(_within_pixels), _written(minimum=0, maximum=1)]
"""An L-inf `Eps` that is always of pixels."""

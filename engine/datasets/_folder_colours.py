"""A colour as people write it in an experiment file."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator


def hexadecimal(value: Any) -> Any:
    """Return a colour as "#rrggbb", whether it was a name, hexadecimal or three numbers."""
    if isinstance(value, list | tuple):
        whole = all(type(part) is int and 0 <= part <= 255 for part in value)
        if len(value) != 3 or not whole:
            raise ValueError("a colour has three whole numbers from 0 to 255: red, green, blue")
        return "#{:02x}{:02x}{:02x}".format(*value)
    if not isinstance(value, str) or re.fullmatch(r"#[0-9a-f]{6}", value):
        return value
    from PIL import ImageColor

    if value.lower() not in ImageColor.colormap and not re.fullmatch(
        r"#([0-9a-fA-F]{3}){1,2}", value
    ):
        raise ValueError('a colour is a name ("white"), "#rrggbb" or [red, green, blue]')
    return "#{:02x}{:02x}{:02x}".format(*ImageColor.getrgb(value))


HexColour = Annotated[
    str, BeforeValidator(hexadecimal, json_schema_input_type=str | tuple[int, int, int])
]
"""Kept as "#rrggbb", so that one colour has one spelling."""

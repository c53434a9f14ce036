"""The 255 levels of 8-bit pixels: how many fit in a ball, and how a ball is called.

Words here are for readers alone; nothing is computed from them.
"""

from __future__ import annotations

import math

LEVELS = 255
"""The highest of the levels of an 8-bit pixel: one is 1/255 of the pixel range."""
SLACK = 1e-6
"""In levels: 8 / 255 as a floating point number may be a little less than eight levels."""
_DIGITS = 4
"""So many digits of a size are shown."""


def levels(eps: float) -> int:
    """Return how many of the 255 levels a pixel may change within an L-inf ball of radius eps."""
    return math.floor(LEVELS * eps + SLACK)


def is_whole(value: float) -> bool:
    """Return whether a size in units of the pixel range is a whole number of levels."""
    return abs(LEVELS * value - round(LEVELS * value)) < SLACK


def amount(value: float) -> str:
    """Return a size in units of the pixel range: "8/255", ".2", ".03", "1".

    A whole number of levels is a fraction, unless two decimals give it exactly.
    """
    whole = round(LEVELS * value)
    if is_whole(value) and abs(LEVELS * round(value, 2) - whole) > SLACK:
        return f"{whole}/{LEVELS}"
    return _decimal(value)


def eps_words(eps: float, norm: str = "linf", space: str = "pixels") -> str:
    """Return an eps with the ball that it stands for on 8-bit pixels: ".03 (7/255)", "8/255".

    Nothing is added to a whole number of levels, nor to an eps that is none of pixels in L-inf.

    Args:
        eps: the radius.
        norm: the norm of the ball.
        space: where it is measured; see `engine.attacks.GradientAttack`.
    """
    if space != "pixels":
        return _decimal(eps)
    if norm != "linf":
        return amount(eps)
    return amount(eps) if is_whole(eps) else f"{amount(eps)} ({levels(eps)}/{LEVELS})"


def _decimal(value: float) -> str:
    """Return a number as papers print it, without a leading zero."""
    text = f"{value:.{_DIGITS}g}"
    return text[1:] if text.startswith("0.") else text

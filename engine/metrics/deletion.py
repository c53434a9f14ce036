"""How fast the answer falls when the pixels that a map names are taken away."""

from __future__ import annotations

from typing import ClassVar

from engine.metrics import Direction, register
from engine.metrics._curves import Curve


@register
class Deletion(Curve):
    """The area under the probability of the class while the image is taken away; see `Curve`."""

    direction: ClassVar[Direction] = "lower"
    says: ClassVar[str] = (
        "How probable the class stays, on average, while pixels are taken from the "
        "image, those that are largest in the map first."
    )
    deleted: ClassVar[bool] = True

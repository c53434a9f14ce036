"""How fast the answer rises when the pixels that a map names are put back."""

from __future__ import annotations

from typing import ClassVar

from engine.metrics import Direction, register
from engine.metrics._curves import Curve


@register
class Insertion(Curve):
    """The area under the probability of the class while the image is put back; see `Curve`."""

    direction: ClassVar[Direction] = "higher"
    says: ClassVar[str] = (
        "How probable the class gets, on average, while pixels are put into the "
        "baseline, those that are largest in the map first."
    )
    deleted: ClassVar[bool] = False

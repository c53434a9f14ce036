"""How fast the answer falls when the pixels that a map names are taken away."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from engine.metrics import Direction, Given, MapMetric, Measured, Need, register
from engine.metrics._curves import Order, area


@register
class Deletion(MapMetric):
    """The area under the probability of the class while the image is taken away, by |map|.

    Petsiuk, Das & Saenko (2018), "RISE", section 4.2. Pixels go from the largest |value| to the
    smallest. What is away is replaced by the maps' baseline; where the method has none, by the mean
    colour of the test images.

    Attributes:
        steps: into so many parts the pixels are divided.
        order: `magnitude`, or `signed` for maps whose negative values speak against the class.
        images: of how many images, since each step is a question to the network.
    """

    direction: ClassVar[Direction] = "lower"
    says: ClassVar[str] = (
        "How probable the class stays, on average, while pixels are taken from the "
        "image, those that are largest in the map first."
    )
    source: ClassVar[str] = "Petsiuk et al. (2018)"
    needs: ClassVar[tuple[Need, ...]] = ("network", "baseline")

    steps: int = Field(10, ge=2)
    order: Order = "magnitude"
    images: int = Field(40, ge=1)

    @property
    def most(self) -> int | None:
        """See `MapMetric.most`."""
        return self.images

    def of(self, given: Given) -> Measured:
        """Return the area, in [0, 1]."""
        return Measured.because(area(given, self.name, self.steps, self.order, deleted=True))

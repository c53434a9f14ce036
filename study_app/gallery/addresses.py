"""The addresses of pictures, maps and their facts."""

from __future__ import annotations

from dataclasses import dataclass

from study_app.gallery.exhibit import NotShownError, ScaleMode

_DIGITS = 9
"""No experiment has more test images than that; of thousands of digits Python makes no number."""


@dataclass(frozen=True)
class Place:
    """One picture of an experiment.

    Attributes:
        key: the experiment's key.
        defense: the label of the attacked model; for a clean picture, of any.
        image: "clean" or the label of an attack.
        index: which test image.
    """

    key: str
    defense: str
    image: str
    index: int

    def picture(self, suffix: str = "png") -> str:
        """Return the path of the picture, or as "json" of its passport."""
        return f"{self._path}.{suffix}"

    def map(self, method: str, mode: ScaleMode, suffix: str = "png") -> str:
        """Return the path of its map by `method` on scale `mode`, or as "json" of its facts."""
        return f"{self._path}/{method}.{suffix}?scale={mode}"

    @property
    def _path(self) -> str:
        return f"/g/{self.key}/{self.defense}/{self.image}/{self.index}"


def image_index(text: str) -> int:
    """Return the number of a test image from an address.

    Raises:
        NotShownError: it is no number, or too long for one.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
        raise NotShownError
    return int(text)

"""Where in the picture is it?"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from study_app.questions import (
    AnswerError,
    Given,
    Percept,
    Phrase,
    Question,
    Showing,
    View,
    register,
)

_NUMBER = "(0|[1-9][0-9]{0,3})"
_POINT = re.compile(f"{_NUMBER},{_NUMBER}")
_CELLS = re.compile(f"{_NUMBER}(,{_NUMBER})*")
_ANY_SIZE = (10_000, 10_000)
"""Width and height of a picture whose passport does not tell them: no pixel is refused."""


@register
class PointOrBrush(Question):
    """A place in the first picture: one point, or an area painted in cells.

    Asks people what ClickMe (Linsley et al. 2019) asked them, which parts of an image decide what
    it is; the answers can be laid beside a saliency map. A point is a pixel of the picture, not of
    the screen, and cells are the same for everybody, so no display changes the answer.

    Attributes:
        prompt: the question.
        mode: `point` or `brush`.
        cells: a brushed picture is cut into so many rows and columns. 7 are 4 pixels of a digit
            each, and still large enough for a finger on a phone.
    """

    pictures: ClassVar[tuple[int, int]] = (1, 3)
    columns: ClassVar[Mapping[str, str]] = {
        "x": "pixel column of the point from the left, from 0; empty for a brush",
        "y": "pixel row of the point from the top, from 0; empty for a brush",
        "painted": "share of the cells that were painted, 0 to 1; empty for a point",
    }

    prompt: Phrase = "Where do you see best what this is?"
    mode: Literal["point", "brush"] = "point"
    cells: int = Field(7, ge=2, le=32)

    def view(self, showing: Showing) -> View:
        """Return the way to mark a place, and its bounds; see `Question.view`."""
        view: View = {"prompt": showing.say(self.prompt), "layout": self.mode, "options": []}
        if self.mode == "brush":
            view["cells"] = self.cells
        elif pixels := showing.pictures[0].get("pixels"):
            _, height, width = pixels["shape"]
            view["size"] = [width, height]
        return view

    def correct(self, showing: Showing) -> None:
        """Return None: no place is expected."""

    def phrases(self) -> list[str]:
        """Return the prompt."""
        return [self.prompt]

    @classmethod
    def read(cls, view: Mapping[str, Any], answer: str) -> Given:
        """Return the pixel or the cells."""
        return _read_point(view, answer) if view["layout"] == "point" else _read_cells(view, answer)

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Mark somewhere near the middle: what is seen says nothing about where."""
        if view["layout"] == "point":
            return ",".join(str(_middle(side, rng)) for side in view.get("size", _ANY_SIZE))
        cells = view["cells"]
        row, column = _middle(cells - 1, rng), _middle(cells - 1, rng)
        painted = [cells * (row + down) + column + right for down in (0, 1) for right in (0, 1)]
        return ",".join(map(str, painted))


def _read_point(view: Mapping[str, Any], answer: str) -> Given:
    width, height = view.get("size", _ANY_SIZE)
    match = _POINT.fullmatch(answer)
    if match is None:
        raise AnswerError("A point is a column and a row of the picture.")
    x, y = int(match[1]), int(match[2])
    if x >= width or y >= height:
        raise AnswerError("That point is outside the picture.")
    return Given(answer, answer, {"x": x, "y": y, "painted": None})


def _read_cells(view: Mapping[str, Any], answer: str) -> Given:
    if answer and not _CELLS.fullmatch(answer):
        raise AnswerError("A painted area is a list of cells.")
    painted = [int(cell) for cell in answer.split(",")] if answer else []
    total = view["cells"] ** 2
    if painted != sorted(set(painted)) or max(painted, default=0) >= total:
        raise AnswerError("Cells are given in ascending order, each once, inside the picture.")
    return Given(answer, answer, {"x": None, "y": None, "painted": len(painted) / total})


def _middle(size: int, rng: random.Random) -> int:
    """Draw one of `size` places, most likely in the middle."""
    return int(rng.triangular(0, size - 1))

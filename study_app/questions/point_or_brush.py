"""Where in the picture is it?"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.analysis.outcomes import Outcome
from study_app.questions import (
    AnswerError,
    Given,
    Percept,
    Phrase,
    Question,
    Showing,
    Value,
    View,
    register,
)

_NUMBER = "(0|[1-9][0-9]{0,3})"
_POINT = re.compile(f"{_NUMBER},{_NUMBER}")
_CELLS = re.compile(f"{_NUMBER}(,{_NUMBER})*")
_ANY_SIZE = (10_000, 10_000)
"""Width and height of a picture whose passport does not tell them: no pixel is refused."""

if TYPE_CHECKING:
    from db.export import Answered


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

    outcomes: ClassVar[tuple[Outcome, ...]] = (
        Outcome(
            "mark_on_stroke",
            "binary",
            "whether the point, or the greater part of the painted cells, lies on the drawing of "
            "the first picture that is no map (a cell does where any of its pixels does); empty "
            "where nothing is painted or there is no drawing",
            "marked the drawing",
            "point_or_brush",
        ),
        Outcome(
            "mark",
            "points",
            "the pixel marked, 'x,y' from the top left corner, from 0; empty for a brush",
            "point marked",
            "point_or_brush",
        ),
        Outcome(
            "painted",
            "continuous",
            "share of the cells that were painted, 0 to 1; empty for a point",
            "share painted",
            "point_or_brush",
            low=0,
            high=1,
        ),
    )

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
    def means(cls, answered: Answered) -> Mapping[str, Value]:
        """Return the place, and whether it lies on the drawing."""
        is_point = answered.view["layout"] == "point"
        total = 1 if is_point else answered.view["cells"] ** 2
        return {
            "mark": answered.answer if is_point else None,
            "painted": None if is_point else len(_numbers(answered.answer)) / total,
            "mark_on_stroke": _on_stroke(answered, is_point=is_point),
        }

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
    painted = _numbers(answer)
    total = view["cells"] ** 2
    if painted != sorted(set(painted)) or max(painted, default=0) >= total:
        raise AnswerError("Cells are given in ascending order, each once, inside the picture.")
    return Given(answer, answer, {"x": None, "y": None, "painted": len(painted) / total})


def _middle(size: int, rng: random.Random) -> int:
    """Draw one of `size` places, most likely in the middle."""
    return int(rng.triangular(0, size - 1))


def _numbers(answer: str) -> list[int]:
    return [int(number) for number in answer.split(",")] if answer else []


def _on_stroke(answered: Answered, *, is_point: bool) -> bool | None:
    """Return whether the mark lies on the drawing; None where there is no mark or no drawing."""
    plain = [place for place, facts in enumerate(answered.pictures) if facts["kind"] != "map"]
    marked = _numbers(answered.answer)
    strokes = _strokes(answered.png(plain[0])) if plain else None
    if strokes is None or not strokes.any() or not marked:
        return None
    if is_point:
        x, y = marked
        return bool(strokes[y, x]) if y < strokes.shape[0] and x < strokes.shape[1] else None
    rows, columns = (_cells(side, answered.view["cells"]) for side in strokes.shape)
    drawn = {
        int(cell) for cell in (rows[:, None] * answered.view["cells"] + columns[None, :])[strokes]
    }
    return 2 * sum(cell in drawn for cell in marked) > len(marked)


def _cells(side: int, cells: int) -> NDArray[np.int64]:
    """Return in which of `cells` equal parts each pixel of a side lies."""
    return np.arange(side) * cells // side


@lru_cache(maxsize=1024)
def _strokes(png: bytes) -> NDArray[np.bool_] | None:
    """Return where the strokes of a picture are (H, W); None of what is no picture."""
    from PIL import Image, UnidentifiedImageError

    from engine.metrics import found_strokes

    try:
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    except UnidentifiedImageError:
        return None
    found: NDArray[np.bool_] = found_strokes(pixels.transpose(2, 0, 1)[None] / 255)[0]
    return found

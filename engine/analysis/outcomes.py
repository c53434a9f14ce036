"""Outcomes: what an answer means as a variable. Declared by who asks; analysed by their kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "binary",
    "ordinal",
    "continuous",
    "choice",
    "preference",
    "ranking",
    "detection",
    "points",
    "text",
]
"""What a value is, and with it how it is summarised:

- binary: true or false; a share.
- ordinal: a whole number on a scale; mean, median, distribution.
- continuous: a number; mean, median, quartiles.
- choice: the index of a class, or another key; a table of how often each was chosen.
- preference: the key of the item chosen of several, or `TIE`; strengths (Bradley and Terry 1952).
- ranking: keys of items, best first, joined by `ORDER`; strengths (Plackett 1975).
- detection: true or false, said of a signal that is there or not (see `Outcome.signal`);
  sensitivity and criterion.
- points: a place, "x,y"; counted, and drawn.
- text: words; counted.
"""

DTYPES: dict[Kind, Literal["string", "Int64", "Float64", "boolean"]] = {
    "binary": "boolean",
    "ordinal": "Int64",
    "continuous": "Float64",
    "choice": "string",
    "preference": "string",
    "ranking": "string",
    "detection": "boolean",
    "points": "string",
    "text": "string",
}
"""The type of an outcome's column, of pandas' nullable ones; empty where there is no value."""

MEASURED: frozenset[Kind] = frozenset({"binary", "ordinal", "continuous", "detection"})
"""Kinds with a mean, so that conditions and arms can be compared by their difference."""

TIE = "tie"
"""The preference of no item."""
ORDER = " > "
"""Stands between the items of a ranking."""


@dataclass(frozen=True)
class Outcome:
    """A variable that answers give: a column of the export's ratings.

    Attributes:
        name: of the column, lower case with underscores; unique among all outcomes.
        kind: see `Kind`.
        description: what a value says, for the codebook and for readers; a phrase.
        title: its name for readers, such as "called the target plausible".
        task: the question type on whose rows it stands.
        signal: of a detection: the binary outcome that says whether the signal was there.
        combined: it was computed from several answers.
        low, high: bounds of an ordinal or a continuous outcome, where it has any.
    """

    name: str
    kind: Kind
    description: str
    title: str
    task: str
    signal: str | None = None
    combined: bool = False
    low: float | None = None
    high: float | None = None

"""Exclusion rules, written down before the data are seen.

They are stored with the study's version. What they exclude is marked in every table of ratings,
never dropped (`db/export/exclusions.py` says by what exactly), and left out of the human table.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from engine.components import Document


class CatchBelow(Document):
    """People who gave the expected answer to less than `share` of the catch trials they answered.

    Only trials in which one answer is expected count; one not answered in time is missed.
    """

    rule: Literal["catch_below"]
    share: float = Field(gt=0, le=1)


class TooFast(Document):
    """Answers whose reaction time is below `ms`."""

    rule: Literal["too_fast"]
    ms: float = Field(gt=0)


class Incomplete(Document):
    """People who have not finished: they stopped, were sent home, or are still at it."""

    rule: Literal["incomplete"]


class HiddenTooLong(Document):
    """Answers during which the page was out of sight for more than `ms`."""

    rule: Literal["hidden_too_long"]
    ms: float = Field(gt=0)


Exclusion: TypeAlias = Annotated[
    CatchBelow | TooFast | Incomplete | HiddenTooLong, Field(discriminator="rule")
]

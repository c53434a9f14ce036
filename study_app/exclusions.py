"""Exclusion rules, written down before the data are seen.

They are stored with the study's version; what they exclude is to be marked in the export, never
left out or deleted. The export does not apply them yet.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from engine.documents import Document


class CatchBelow(Document):
    """People who gave less than `share` of the expected answers in catch presentations."""

    rule: Literal["catch_below"]
    share: float = Field(gt=0, le=1)


class TooFast(Document):
    """Answers given sooner than `ms` after the picture was there."""

    rule: Literal["too_fast"]
    ms: float = Field(gt=0)


class Incomplete(Document):
    """People who did not finish."""

    rule: Literal["incomplete"]


class HiddenTooLong(Document):
    """Answers during which the page was out of sight for more than `ms`."""

    rule: Literal["hidden_too_long"]
    ms: float = Field(gt=0)


Exclusion: TypeAlias = Annotated[
    CatchBelow | TooFast | Incomplete | HiddenTooLong, Field(discriminator="rule")
]

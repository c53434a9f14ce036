"""The analysis that a study file declares: what is registered when the study is launched."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from engine.components import Document

OutcomeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]


class PlannedContrast(Document):
    """A comparison that is declared.

    Attributes:
        outcome: name of a measured outcome; None: each primary one.
        of: label of a condition, or of an arm.
        to: labels of what it is compared with; several with `claim: above_every`.
        between: what the labels are of.
        within: where arms are compared: the condition, or `all` for all that each of them has;
            where conditions are: the arm. None: in every one that both have.
        claim: see `engine.analysis.contrasts.Claim`.
        family: within which p-values are corrected.
        margin: of `claim: equivalent`.
        smallest_effect: of this comparison; None: the plan's.
    """

    outcome: OutcomeName | None = None
    of: str
    to: tuple[str, ...] = Field(min_length=1)
    between: Literal["conditions", "arms"] = "conditions"
    within: str | None = None
    claim: Literal["different", "above", "below", "above_every", "equivalent"] = "different"
    family: str = "primary"
    margin: float | None = Field(None, gt=0)
    smallest_effect: float | None = Field(None, gt=0)


class AnalysisPlan(Document):
    """The `analysis:` of a study file.

    Attributes:
        primary: names of the outcomes that the study is about.
        secondary: names of further outcomes.
        contrasts: the comparisons, in the order in which they are told.
        smallest_effect: the smallest difference that matters, in the outcome's units; a share is in
            [0, 1].
        participants: how many people have finished at the end, when the analysis is made: N is
            fixed; None: unsaid.
        test: which test decides about binary outcomes.
    """

    primary: tuple[OutcomeName, ...] = Field(min_length=1)
    secondary: tuple[OutcomeName, ...] = ()
    contrasts: tuple[PlannedContrast, ...] = ()
    smallest_effect: float | None = Field(None, gt=0)
    participants: int | None = Field(None, ge=2)
    test: Literal["cluster_t", "mixed"] = "cluster_t"

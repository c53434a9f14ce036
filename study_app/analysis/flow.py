"""How many people came, and where they went: the numbers of a CONSORT diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from study_app.analysis.stages import StageView


@dataclass(frozen=True)
class Branch:
    """The people of one arm (and list) from their admission on.

    Attributes:
        arm: label.
        list_index: of the counterbalancing list; None: all lists of the arm.
        admitted: got a plan.
        left: admitted, not finished, and silent for so long that they will not come back; by
            quarter of the session in which they stopped, four numbers.
        under_way: admitted, not finished, and may go on.
        finished: answered everything.
        excluded: of those admitted with an answer, people whom a rule excludes, by rule.
        analysed: people with at least one answer that counts, and how many of them finished.
    """

    arm: str
    list_index: int | None
    admitted: int
    left: Sequence[int]
    under_way: int
    finished: int
    excluded: Mapping[str, int]
    analysed: int


@dataclass(frozen=True)
class Flow:
    """People of the versions that are counted.

    Attributes:
        consented: in all, those who withdrew not among them.
        withdrew: their data are deleted.
        screened_out, failed_check: consented, and were not admitted.
        waiting: consented, and neither admitted nor turned away.
        arms: from admission on, in the study's order.
        lists: the same by list.
    """

    consented: int
    withdrew: int
    screened_out: int
    failed_check: int
    waiting: int
    arms: Sequence[Branch]
    lists: Sequence[Branch]


def flow(s: Session, view: StageView) -> Flow:
    """Return where the people of a stage's counted versions are."""
    raise NotImplementedError

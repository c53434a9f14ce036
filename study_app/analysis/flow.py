"""How many people came, and where they went: the numbers of a CONSORT diagram."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db import repository
from db.repository import Whereabouts
from study_app import exclusions
from study_app.analysis.stages import StageView
from study_app.study import study_of


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
        analysed: people with at least one answer that counts.
        analysed_finished: how many of them finished.
    """

    arm: str
    list_index: int | None
    admitted: int
    left: Sequence[int]
    under_way: int
    finished: int
    excluded: Mapping[str, int]
    analysed: int
    analysed_finished: int


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


def flow(s: Session, view: StageView, *, now: datetime | None = None) -> Flow:
    """Return where the people of a stage's counted versions are; `now`: by default it is now."""
    people = repository.whereabouts(
        s, [row.study_version_id for row in view.counts], now=now or datetime.now(UTC)
    )
    marks = _Marks(view)
    by_status = Counter(person.status for person in people)
    lists = _grouped(people, marks, lambda person: (str(person.arm), person.list_index))
    arms = _grouped(people, marks, lambda person: (str(person.arm), None))
    declared = list(study_of(view.version).all_arms)
    order = {arm: place for place, arm in enumerate(declared)}
    return Flow(
        consented=len(people),
        withdrew=sum(row.withdrawn for row in view.counts),
        screened_out=by_status["screened_out"],
        failed_check=by_status["failed_check"],
        waiting=by_status["consented"],
        arms=sorted(arms, key=lambda each: order.get(each.arm, len(order))),
        lists=sorted(
            lists, key=lambda each: (order.get(each.arm, len(order)), each.list_index or 0)
        ),
    )


class _Marks:
    """Who is excluded, and whose answers count."""

    def __init__(self, view: StageView) -> None:
        rules = exclusions.registry
        judging = [each.name for each in study_of(view.version).exclusions]
        ratings = view.ratings
        hit = ratings.assign(rule=ratings["exclusion_rule"].str.split(";")).explode("rule")
        names = dict.fromkeys([*judging, *sorted(hit["rule"].dropna().unique())])
        self.by_rule = {
            name: set(hit.loc[hit["rule"] == name, "participant_id"])
            for name in names
            if rules.get(name).judges == "people"
        }
        main = ratings[ratings["trial_type"] == "main"]
        self.counted = set(main.loc[~main["excluded"].astype(bool), "participant_id"])


def _grouped(
    people: Iterable[Whereabouts],
    marks: _Marks,
    key: Callable[[Whereabouts], tuple[str, int | None]],
) -> list[Branch]:
    groups: dict[tuple[str, int | None], list[Whereabouts]] = {}
    for person in people:
        if person.arm is not None:
            groups.setdefault(key(person), []).append(person)
    return [_branch(*at, group, marks) for at, group in groups.items()]


def _branch(
    arm: str, list_index: int | None, people: Sequence[Whereabouts], marks: _Marks
) -> Branch:
    ids = {person.participant_id for person in people}
    finished = {person.participant_id for person in people if person.status == "complete"}
    gone = [p for p in people if p.status != "complete" and (p.silent or p.status != "admitted")]
    stopped = Counter(min(3, 4 * p.answered // max(1, p.trials)) for p in gone)
    return Branch(
        arm=arm,
        list_index=list_index,
        admitted=len(people),
        left=[stopped[quarter] for quarter in range(4)],
        under_way=len(people) - len(finished) - len(gone),
        finished=len(finished),
        excluded={rule: len(ids & hit) for rule, hit in marks.by_rule.items()},
        analysed=len(ids & marks.counted),
        analysed_finished=len(finished & marks.counted),
    )

"""How full the lists of a study are, and how many people each still lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from db import repository
from db.repository import StudyVersionInfo
from study_app.design import participant_plan
from study_app.study import ALL, Study, study_of


@dataclass(frozen=True)
class FilledList:
    """One arm and list of a study version.

    Attributes:
        arm, list_index: which.
        complete: people who have done everything.
        under_way: people admitted who keep their place (`db.repository.places`).
        missing: how many more are wanted to complete it.
    """

    arm: str
    list_index: int
    complete: int
    under_way: int
    missing: int


def filled_lists(s: Session, version: StudyVersionInfo, *, now: datetime) -> list[FilledList]:
    """Return every list of a version.

    Each wants an equal share of what the quota leaves after the people who completed other versions
    of the stage; without a quota, as many as the fullest has.
    """
    held = {(p.arm, p.list_index): p for p in repository.places(s, version.id, now=now)}
    complete = {slot: place.complete for slot, place in held.items()}
    slots = participant_plan.slots(version.design)
    elsewhere = sum(
        row.completed
        for row in repository.counts(s, version.name)
        if row.stage == version.stage and row.study_version_id != version.id
    )
    wanted = _wanted(study_of(version), slots, max(complete.values(), default=0), elsewhere)
    return [
        FilledList(
            *slot,
            complete.get(slot, 0),
            held[slot].under_way if slot in held else 0,
            max(0, wanted[slot] - complete.get(slot, 0)),
        )
        for slot in slots
    ]


def _wanted(
    study: Study, slots: Sequence[tuple[str, int]], fullest: int, elsewhere: int
) -> Mapping[tuple[str, int], int]:
    quota = study.quota
    if quota is None or (quota.participants, quota.per_arm) == (None, None):
        return dict.fromkeys(slots, fullest)
    shares = dict.fromkeys(slots, 0)
    for slot in slots:
        lists = sum(arm == slot[0] for arm, _ in slots)
        each = []
        if quota.participants is not None:
            each.append(max(0, quota.participants - elsewhere) // len(slots))
        if quota.per_arm is not None:
            each.append(quota.per_arm // lists)
        shares[slot] = min(each)
    return shares


def lines(version: StudyVersionInfo, lists: Sequence[FilledList]) -> list[str]:
    """Return in sentences how many people the lists of `version` lack; each arm on a line."""
    which = f"lists of version {version.version} ({version.stage})"
    if not any(each.missing for each in lists):
        return [f"{which}: none lacks anybody"]
    said = [f"{which}, people still missing in each:"]
    for arm in dict.fromkeys(each.arm for each in lists):
        own = [each for each in lists if each.arm == arm]
        missing = _grouped({each.list_index: each.missing for each in own})
        named = "" if arm == ALL else f"arm {arm}: "
        parts = [f"{count or 'nobody'} in {where}" for count, where in missing]
        busy = {each.list_index: each.under_way for each in own if each.under_way}
        parts += [f"under way: {count} in {where}" for count, where in _grouped(busy)]
        said.append(f"  {named}{'; '.join(parts)}")
    return said


def _grouped(counts: Mapping[int, int]) -> list[tuple[int, str]]:
    """Return each count, the largest first, with the lists that have it."""
    found = []
    for count in sorted(set(counts.values()), reverse=True):
        own = [str(number) for number, each in counts.items() if each == count]
        found.append((count, f"list{'s' * (len(own) > 1)} {', '.join(own)}"))
    return found


def facts(version: StudyVersionInfo, lists: Sequence[FilledList]) -> list[dict[str, Any]]:
    """Return the same for programs: version, stage, arm, list, complete, under_way, missing."""
    return [
        {
            "version": version.version,
            "stage": version.stage,
            "arm": each.arm,
            "list": each.list_index,
            "complete": each.complete,
            "under_way": each.under_way,
            "missing": each.missing,
        }
        for each in lists
    ]

"""Which lists lack how many people: by the quota, over all versions of the stage."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from databases import on_sqlite
from lab import open_lab

from db.models import Participant
from study_app.participation import filled

pytestmark = on_sqlite


@pytest.fixture
def lab(tmp_path, store, database):
    return open_lab(tmp_path, database, store)


def found(lab, version):
    with lab.database.read() as s:
        return filled.filled_lists(s, version, now=datetime.now(UTC))


def finished(lab, *list_indices):
    """Admit somebody for each index, and let them have completed that list."""

    def change(s):
        people = s.query(Participant).filter_by(status="admitted").order_by(Participant.created_at)
        for person, index in zip(people, list_indices, strict=True):
            person.status, person.list_index = "complete", index
            person.completed_at = person.last_seen_at

    for _ in list_indices:
        lab.participant()
    lab.database.write(change)


def test_each_list_wants_its_share_of_the_quota_whatever_version_people_took(lab):
    lab.change(quota={"participants": 45, "per_arm": None})
    finished(lab, 0, 0, 1, 2, 3)
    lab.participant()
    lists = {each.list_index: each for each in found(lab, lab.version)}
    assert [lists[n].complete for n in range(5)] == [2, 1, 1, 1, 0]
    assert [lists[n].missing for n in range(5)] == [0, 1, 1, 1, 2]
    assert sum(each.under_way for each in lists.values()) == 1
    lines = filled.lines(lab.version, found(lab, lab.version))
    assert lines[0] == "lists of version 2 (main), people still missing in each:"
    assert lines[1].startswith("  2 in lists 4, 5, 6, ")
    assert "; 1 in lists 1, 2, 3; nobody in list 0; under way: 1 in list " in lines[1]

    newer = lab.change(quota={"participants": 45, "per_arm": None}, seed=1)
    assert {each.missing for each in found(lab, newer)} == {2}  # 40 left for 20 lists
    assert len(filled.facts(newer, found(lab, newer))) == 20


def test_without_a_quota_lists_are_to_be_as_full_as_the_fullest(lab):
    lab.change(quota=None)
    assert filled.lines(lab.version, found(lab, lab.version)) == [
        "lists of version 2 (main): none lacks anybody"
    ]
    finished(lab, 4, 4)
    assert [each.missing for each in found(lab, lab.version)] == [2] * 4 + [0] + [2] * 15

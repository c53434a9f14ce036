"""Where the people of a stage are: every one of them once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from db import repository
from study_app.analysis.flow import flow
from study_app.analysis.stages import stage_view


def careless(person):
    """Answers everything with the first option, and so fails catch trials."""
    person.finish()


def numbers(lab, **later):
    with lab.database.read() as s:
        view = stage_view(s, repository.study(s, "demo"))
        return flow(s, view, now=datetime.now(UTC) + timedelta(**later))


def test_everybody_is_counted_once_and_drop_outs_by_when_they_stopped(lab):
    careless(lab.participant())
    stopped = {}
    for count in (0, 14, 51):  # of 52
        person = lab.participant()
        for trial in person.plan()[:count]:
            person.answer(trial).raise_for_status()
        stopped[count] = person
    lab.participant(admitted=False)
    gone = lab.participant()
    gone.post("/api/withdraw", {}).raise_for_status()

    now = numbers(lab)
    (arm,) = now.arms
    assert (now.consented, now.withdrew, now.waiting) == (5, 1, 1)
    assert (now.screened_out, now.failed_check) == (0, 0)
    assert (arm.arm, arm.list_index) == ("all", None)
    assert (arm.admitted, arm.finished, arm.under_way, list(arm.left)) == (4, 1, 3, [0] * 4)
    later = numbers(lab, hours=2)
    (arm,) = later.arms
    assert (arm.under_way, list(arm.left)) == (0, [1, 1, 0, 1])
    assert arm.admitted == arm.finished + arm.under_way + sum(arm.left)
    # Who fails the catch trials is excluded as a person; a fast answer excludes nobody.
    assert set(arm.excluded) == {"catch_below"}
    assert arm.excluded["catch_below"] >= 1
    assert (arm.analysed_finished, arm.analysed <= 3) == (0, True)
    assert sum(each.admitted for each in later.lists) == arm.admitted
    assert [each.list_index for each in later.lists] == sorted(
        each.list_index for each in later.lists
    )
    assert sum(sum(each.left) for each in later.lists) == 3


def test_without_people_there_is_nothing_and_no_arm(lab):
    assert numbers(lab).consented == 0
    assert list(numbers(lab).arms) == []

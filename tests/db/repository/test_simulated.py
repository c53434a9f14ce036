"""Simulated people beside people: neither counts, holds back or spoils anything for the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from stored_study import write_csv

from db import repository as repo
from db.errors import StudyFullError
from db.models import ExportRecord, Participant, Tombstone
from db.repository import Quota


def newest(lab, **which):
    with lab.database.read() as s:
        return repo.newest_version(s, "demo", **which)


def the_study(lab):
    with lab.database.read() as s:
        return repo.study(s, "demo")


def images_held_back(lab, later=timedelta(0)):
    with lab.database.read() as s:
        return repo.embargoed_image_ids(s, now=lab.now + later)


def test_a_simulated_version_never_stands_for_the_study(lab):
    main = lab.open()
    simulated = lab.publish(stage="simulated")
    assert (main.version, simulated.version) == (1, 2)
    assert the_study(lab).id == newest(lab, simulated=False).id == main.id
    assert newest(lab, simulated=True).id == simulated.id
    assert not simulated.frozen


def test_launching_the_same_content_after_a_simulation_makes_no_new_version(lab):
    main = lab.open()
    simulated = lab.publish(stage="simulated")
    assert lab.publish().id == main.id
    assert lab.publish(stage="simulated").id == simulated.id
    changed = lab.publish(content_sha256="c" * 64)
    assert (changed.version, changed.stage) == (3, "main")
    assert the_study(lab).id == changed.id
    assert lab.publish(stage="simulated").id == simulated.id
    assert lab.open(content_sha256="c" * 64).frozen


def test_a_study_that_was_only_simulated_is_a_draft_without_a_version_for_people(lab):
    simulated = lab.publish(stage="simulated")
    assert simulated.status == "draft"
    assert newest(lab, simulated=False) is None
    assert the_study(lab).id == simulated.id
    launched = lab.open()
    assert (launched.version, launched.status, launched.stage) == (2, "live", "main")


def test_opening_and_closing_a_study_leaves_its_simulated_version_alone(lab):
    lab.publish()
    lab.publish(stage="simulated", content_sha256="c" * 64)
    opened = lab.database.write(lambda s: repo.set_study_status(s, name="demo", status="live"))
    assert (opened.stage, opened.frozen) == ("main", True)
    assert not newest(lab, simulated=True).frozen


def test_places_of_one_stage_are_not_those_of_the_other(lab):
    main, simulated = lab.open(), lab.publish(stage="simulated")
    for _ in range(3):
        lab.finish(lab.admit(simulated))
    one = {"quota": Quota(participants=1)}
    lab.consent(main, **one)
    lab.finish(lab.admit(main))
    with pytest.raises(StudyFullError):
        lab.consent(main, **one)
    with lab.database.read() as s:
        held = {
            version.id: sum(place.complete for place in repo.places(s, version.id, now=lab.now))
            for version in (main, simulated)
        }
    assert held == {main.id: 1, simulated.id: 3}


def test_simulated_people_hold_no_image_back(lab):
    simulated = lab.publish(stage="simulated")
    lab.admit(simulated)
    assert images_held_back(lab) == set()
    with lab.database.read() as s:
        assert repo.embargo(s, simulated.study_id, now=lab.now) == repo.Embargo(0, 0, None, ())
    # A person of a version for people does, under way at the same moment.
    lab.admit(lab.open())
    lab.database.write(lambda s: repo.set_study_status(s, name="demo", status="closed"))
    with lab.database.read() as s:
        assert repo.embargo(s, simulated.study_id, now=lab.now).under_way == 1
    assert images_held_back(lab) == {row.image_id for row in lab.stimuli}


def test_pictures_that_only_simulated_people_see_are_not_held_back_by_a_live_study(lab):
    lab.open(stimuli=lab.stimuli[:2])
    lab.publish(stage="simulated", content_sha256="c" * 64)
    assert images_held_back(lab) == {row.image_id for row in lab.stimuli[:2]}


def test_who_withdraws_in_a_simulation_makes_no_export_stale(lab, tmp_path):
    main, simulated = lab.open(), lab.publish(stage="simulated")
    lab.finish(lab.admit(main))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    write_csv(lab.database, "demo", tmp_path / "out", now)
    gone = lab.admit(simulated)
    lab.database.write(lambda s: repo.withdraw(s, participant_id=gone.id, now=lab.now))
    with lab.database.read() as s:
        assert repo.withdrawals(s, "demo") == 0
        assert repo.owed_erasures(s).ids == ()
        assert [row.withdrawn for row in repo.counts(s, "demo")] == [0, 1]
        assert not s.query(ExportRecord).one().stale
    person = lab.admit(main)
    lab.database.write(lambda s: repo.withdraw(s, participant_id=person.id, now=lab.now))
    with lab.database.read() as s:
        assert repo.withdrawals(s, "demo") == 1
        assert s.query(ExportRecord).one().stale


def test_deleting_a_simulation_leaves_people_alone(lab):
    main, simulated = lab.open(), lab.publish(stage="simulated")
    kept = lab.finish(lab.admit(main))
    for _ in range(2):
        lab.finish(lab.admit(simulated))
    gone = lab.admit(simulated)
    lab.database.write(lambda s: repo.withdraw(s, participant_id=gone.id, now=lab.now))
    with lab.database.read() as s:
        assert repo.simulated_people(s, "demo") == 3
        assert repo.simulated_people(s, "other") == 0
    lab.database.write(lambda s: repo.delete_simulated(s, "demo"))
    with lab.database.read() as s:
        assert repo.simulated_people(s, "demo") == 0
        assert s.query(Participant).count() == 1
        assert s.query(Tombstone).count() == 0
        assert [row.completed for row in repo.counts(s, "demo")] == [1, 0]
    assert kept is not None


def test_the_slot_for_the_next_person_is_the_least_filled():
    slots = [("all", 0), ("all", 1), ("all", 2)]
    filled = {slots[0]: 1, slots[2]: 1}
    assert repo.least_filled(filled, slots, 5) == slots[1]
    drawn = {repo.least_filled({}, slots, seed) for seed in range(40)}
    assert drawn == set(slots)

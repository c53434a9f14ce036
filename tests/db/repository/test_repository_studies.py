"""Publishing: versions, opaque ids, and what is held back while a study is live."""

from dataclasses import replace

import pytest

from db import repository as repo
from db.errors import StimulusConflictError, StudyNotFoundError
from db.models import StudyVersion


def test_publishing_the_same_content_again_changes_nothing(lab):
    first = lab.publish()
    assert (first.version, first.status, first.frozen) == (1, "draft", False)
    assert lab.publish(now=lab.later(hours=1)) == first
    assert lab.count(StudyVersion) == 1


def test_other_content_makes_the_next_version_and_keeps_the_opaque_ids(lab):
    first = lab.open()
    second = lab.publish(
        content_sha256=lab.sha256("other"),
        stimuli=[*lab.stimuli[1:], lab.stimulus(9)],
        config={"title": "2"},
    )
    assert (second.version, second.status, second.frozen) == (2, "live", True)
    with lab.database.read() as s:
        assert repo.study(s, "demo") == second
        assert repo.study_version(s, first.id).config == {"title": "Demo"}
        before = {row.stimulus_id: row.opaque_id for row in repo.stimuli_of(s, first.id)}
        after = {row.stimulus_id: row.opaque_id for row in repo.stimuli_of(s, second.id)}
    assert len(before) == len(after) == 4
    kept = before.keys() & after.keys()
    assert len(kept) == 3
    assert {before[one] for one in kept} == {after[one] for one in kept}


def test_going_from_pilot_to_main_is_a_new_version(lab):
    assert lab.publish(stage="pilot").version == 1
    assert lab.publish(stage="main").version == 2


def test_opaque_ids_differ_between_studies_and_serve_the_png(lab):
    one, two = lab.publish("one"), lab.publish("two")
    with lab.database.read() as s:
        ids = [{row.opaque_id for row in repo.stimuli_of(s, version.id)} for version in (one, two)]
        row = repo.stimuli_of(s, one.id)[0]
        assert lab.sha256(repo.stimulus_png(s, row.opaque_id)) == row.file_sha256
        assert row.passport["source"]["image_id"] == row.image_id
        assert repo.stimulus_png(s, row.stimulus_id) is None
    assert ids[0].isdisjoint(ids[1])
    assert all(len(opaque) == 32 for opaque in ids[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"png": b"other"}, "another SHA-256"),
        ({"image_id": "0" * 64}, "another source image"),
    ],
)
def test_a_stimulus_must_match_its_hashes(lab, changes, message):
    with pytest.raises(StimulusConflictError, match=message):
        lab.publish(stimuli=[replace(lab.stimuli[0], **changes)])
    with lab.database.read() as s:
        assert repo.study(s, "demo") is None


def test_a_stimulus_id_stands_for_one_content(lab):
    lab.publish()
    other = replace(lab.stimuli[0], pixels_sha256="0" * 64)
    with pytest.raises(StimulusConflictError, match="other pixels"):
        lab.publish("second", stimuli=[other])


def test_without_people_only_live_studies_hold_their_images_back(lab):
    images = {row.image_id for row in lab.stimuli}
    lab.publish()

    def held_back():
        with lab.database.read() as s:
            return repo.embargoed_image_ids(s, now=lab.now)

    assert held_back() == set()
    for status, expected in (("live", images), ("closed", set())):
        lab.database.write(lambda s, to=status: repo.set_study_status(s, name="demo", status=to))
        assert held_back() == expected


def test_unknown_names_are_refused(lab):
    with lab.database.read() as s:
        assert repo.study(s, "nothing") is None
        assert repo.counts(s, "nothing") == []
        with pytest.raises(StudyNotFoundError):
            repo.study_version(s, 7)
    with pytest.raises(StudyNotFoundError, match="'nothing'"):
        lab.database.write(lambda s: repo.set_study_status(s, name="nothing", status="live"))
    with pytest.raises(ValueError, match="known: draft, live, closed"):
        lab.database.write(lambda s: repo.set_study_status(s, name="demo", status="open"))
    with pytest.raises(ValueError, match="known: pilot, main, simulated"):
        lab.publish(stage="final")


def test_counts_say_how_far_people_came(lab):
    version = lab.open()
    lab.consent(version)
    lab.admit(version)
    lab.finish(lab.admit(version))
    gone = lab.admit(version)
    lab.database.write(lambda s: repo.withdraw(s, participant_id=gone.id, now=lab.now))
    with lab.database.read() as s:
        (counts,) = repo.counts(s, "demo")
        assert repo.study_config(s, version.id) == version.config
        with pytest.raises(StudyNotFoundError):
            repo.study_config(s, 999)
    assert counts == repo.VersionCounts(version.id, 1, "main", 3, 2, 1, 1, 0, 0)

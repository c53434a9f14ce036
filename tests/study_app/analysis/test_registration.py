"""What is registered, by which version, and what has changed since."""

import copy
import csv
import hashlib
import json

from databases import on_sqlite

from db import repository
from db.export import write_csv
from study_app.analysis.registration import exported, registration
from study_app.analysis.stages import stage_view
from study_app.exclusions import judge
from study_app.outcomes.scoring import score
from study_app.study import study_of


def registered(lab, versions=()):
    with lab.database.read() as s:
        return registration(s, stage_view(s, repository.study(s, "demo"), None, versions))


def answer(lab, count=1):
    person = lab.participant()
    for trial in person.plan()[:count]:
        person.answer(trial).raise_for_status()


def planned(lab, **changes):
    """The stored analysis with other parts."""
    return {"analysis": {**copy.deepcopy(lab.version.config["analysis"]), **changes}}


@on_sqlite
def test_what_is_declared_is_registered_by_the_version_that_was_answered_first(lab):
    found = registered(lab)
    assert found.first_answer is None
    assert "nobody has answered yet" in found.said
    first = lab.version
    answer(lab)
    lab.change(**planned(lab, secondary=[], participants=7), title="Digits")
    answer(lab)
    found = registered(lab)
    assert found.plan == study_of(first).analysis
    assert (found.version, found.content_sha256) == (1, first.content_sha256)
    assert found.published == first.created_at < found.first_answer
    assert [str(each) for each in found.changes if each.path == "analysis.participants"] == [
        "analysis.participants: was 100, now 7"
    ]
    assert {each.path for each in found.changes} == {
        "analysis.participants", "analysis.secondary", "title",
    }  # fmt: skip
    assert not any(each.changes_meaning for each in found.changes)
    assert found.said.startswith("Registered before the first answer, on 20")
    assert "primary said_plausible, chose_target" in found.said
    assert found.said.endswith(
        (
            "Later versions differ in 3 places (title, analysis).",
            "Later versions differ in 3 places (analysis, title).",
        )
    )


@on_sqlite
def test_a_plan_that_comes_after_answers_registers_nothing(lab):
    declared = lab.version.config["analysis"]
    lab.change(analysis=None)
    answer(lab)
    lab.change(analysis=declared)
    answer(lab)
    found = registered(lab)
    assert found.plan is None
    assert found.version == 2
    assert found.said.startswith("Nothing was registered: version 2")
    assert "Later versions differ" in found.said


@on_sqlite
def test_answers_that_are_not_counted_were_known_when_the_plan_was_made(lab):
    answer(lab)
    lab.change(exclusions=[])
    answer(lab)
    found = registered(lab)
    assert (found.version, list(found.earlier)) == (2, [1])
    assert "People had answered version 1 by then" in found.said


@on_sqlite
def test_an_export_holds_the_registration_and_its_checksum(lab, tmp_path):
    answer(lab, 4)
    made = write_csv(
        lab.database, "demo", tmp_path / "out", lab.version.created_at,
        judge=judge, score=score, beside=exported("demo"),
    )  # fmt: skip
    content = (made.folder / "registered.json").read_bytes()
    document = json.loads(content)
    assert document["plan"]["primary"] == ["said_plausible", "chose_target"]
    assert document["content_sha256"] == lab.version.content_sha256
    assert document["first_answer_utc"].endswith("Z")
    sums = (made.folder / "checksums.sha256").read_text()
    assert f"{hashlib.sha256(content).hexdigest()}  registered.json\n" in sums
    with (made.folder / "codebook.csv").open() as file:
        book = [row for row in csv.DictReader(file) if row["table"] == "ratings"]
    with (made.folder / "ratings.csv").open() as file:
        assert csv.DictReader(file).fieldnames == [row["column"] for row in book]
    (line,) = [row for row in book if row["column"] == "said_plausible"]
    assert line["source"] == "outcome:target_plausible"


def test_the_first_answer_is_of_any_trial_of_the_version(lab):
    lab.participant()
    with lab.database.read() as s:
        assert repository.first_answers(s, "demo") == {}
    answer(lab)
    with lab.database.read() as s:
        assert list(repository.first_answers(s, "demo")) == [1]

"""What `study launch` says before it makes a new version of a study that people take part in."""

from __future__ import annotations

from lab import open_lab

from engine import results
from study_app.cli import relaunch
from study_app.design import publish
from study_app.design.study_design import Design, design
from study_app.installation import Settings
from study_app.study import study_of


def test_who_launches_what_is_only_sized_by_newer_rules_is_not_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAUSIBLY_HOME", str(tmp_path))
    lab = open_lab(tmp_path)
    study = study_of(lab.version).model_copy(update={"title": "As before"})
    now = design(study, results.find(lab.state.store, study.experiment))
    before = {key: value for key, value in now.document.items() if key != "picture_sizes"}
    publish.publish(study, lab.state.store, lab.database, Design(now.stimuli, before))
    lab.participant(admitted=False)
    assert relaunch.changes(study, Settings(), now) == []
    renamed = study.model_copy(update={"title": "Another title"})
    assert any("Another title" in line for line in relaunch.changes(renamed, Settings(), now))
    lab.database.close()


def test_what_is_made_anew_is_told_also_where_nobody_has_come(tmp_path, monkeypatch):
    """So `plausibly demo` goes on in a home where an older program has published the study."""
    monkeypatch.setenv("PLAUSIBLY_HOME", str(tmp_path))
    lab = open_lab(tmp_path)
    study = study_of(lab.version)
    now = design(study, results.find(lab.state.store, study.experiment))
    older = study.model_copy(update={"analysis": None})
    publish.publish(older, lab.state.store, lab.database, now)
    assert relaunch.changes(study, Settings(), now) == []
    first, line, last = relaunch.changes(study, Settings(), now, untouched=True)
    assert first.startswith("Nobody has taken part in study 'demo'. What is launched differs from")
    assert line.startswith("  analysis: was not there, now {")
    assert last == "Answers to the new version mean the same, and are counted with those before."
    lab.participant(admitted=False)
    assert relaunch.changes(study, Settings(), now)[0].startswith("1 person has taken part")
    publish.publish(study, lab.state.store, lab.database, now)
    assert relaunch.changes(study, Settings(), now, untouched=True) == []
    lab.database.close()

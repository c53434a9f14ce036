"""Exposure and response windows, from the study file to the table."""

import pytest
import yaml
from lab import open_lab

from db import export
from engine import results
from engine.analysis import human_table
from engine.errors import UsageError
from study_app import lint, questions, study
from study_app.design import preview
from study_app.exclusions import judge
from study_app.outcomes.scoring import score

DEMO = yaml.safe_load((study.BUILT_IN / "demo.yaml").read_text()) | {"analysis": None}
LABEL, PLAUSIBLE = DEMO["questions"]


def timed(label, plausible=None, **changes):
    asked = [{**LABEL, **label}, {**PLAUSIBLE, **(plausible or {})}]
    return {**DEMO, "translations": {}, "questions": asked, **changes}


@pytest.fixture
def lab(tmp_path, store, database):
    """The demo with 500 ms to look and two seconds to answer; the picture does not come back."""
    document = timed(
        {"exposure_ms": 500, "response_window_ms": 2000},
        {"exposure_ms": 0},
        texts={**DEMO["texts"], "feedback_late": "Too slow, it was {right}."},
    )
    path = tmp_path / "timed.yaml"
    path.write_text(yaml.safe_dump(document))
    return open_lab(tmp_path, database, store, str(path))


def test_every_trial_says_how_long_and_an_answer_that_did_not_come_is_kept_as_such(lab):
    person = lab.participant()
    plan = person.plan()
    assert {(t["exposure_ms"], t.get("response_window_ms")) for t in plan[::2]} == {(500, 2000)}
    assert {(t["exposure_ms"], t.get("response_window_ms")) for t in plan[1::2]} == {(0, None)}
    nothing = {"rt_ms": None, "timing": {"exposure_ms": 498.2, "shown_n": 1, "rt_source": None}}
    late = person.answer(plan[0], "timed_out", **nothing).json()
    right = next(o["label"] for o in plan[0]["options"] if o["label"] in late["feedback"]["text"])
    assert late["feedback"] == {"correct": False, "text": f"Too slow, it was {right}."}
    assert person.answer(plan[0], "timed_out", **nothing).json()["status"] == "duplicate"
    assert person.answer(plan[0], plan[0]["options"][0]["value"]).status_code == 409
    # There is no window here, so that is no answer.
    assert person.answer(plan[1], "timed_out", **nothing).status_code == 422
    person.answer(plan[1])
    with lab.database.read() as s:
        first, second = export.ratings(s, "demo", judge=judge, score=score).to_dict("records")
    assert (first["response"], first["response_label"], first["timed_out"]) == (
        "timed_out",
        "",
        True,
    )
    assert [first[c] for c in ("exposure_ms", "exposure_set_ms", "response_window_ms")] == [
        498.2,
        500,
        2000,
    ]
    assert first["shown_n"] == 1
    assert [second[c] for c in ("timed_out", "response_window_ms")] == [None, None]
    assert second["exposure_set_ms"] == 0


def test_a_preview_says_how_long(tmp_path, store):
    document = timed({"exposure_ms": 500, "response_window_ms": 2000}, {"exposure_ms": 0})
    seen = preview.draw(study.Study(**document), results.find(store, "demo"))
    seen.write(tmp_path / "sheet.html")
    page = (tmp_path / "sheet.html").read_text()
    assert page.count("shown for 500 ms · answer within 2000 ms") == 26
    assert page.count("not shown again") == 26


def test_the_human_table_leaves_out_what_was_not_answered_in_time(lab):
    person = lab.participant()
    for number, trial in enumerate(person.plan()):
        missed = number % 4 == 0  # every other first question
        person.answer(trial, "timed_out" if missed else None).raise_for_status()
    with lab.database.read() as s:
        table = export.ratings(s, "demo", judge=judge, score=score)
    main = table[(table["trial_type"] == "main") & (table["task"] == "label_nafc")]
    answered = main[main["timed_out"].isna()]
    assert 0 < len(answered) < len(main)
    rows = human_table.human_table(table, with_excluded=True)
    assert sum(row.fooled.ratings for row in rows) == len(answered)
    catch = table[(table["trial_type"] == "catch") & (table["task"] == "label_nafc")]
    assert human_table.attention(table).label.ratings == len(catch)
    # Half of the catch trials missed for want of time is below the share that the study asks for.
    assert set(table["exclusion_rule"]) == {"catch_below"}
    assert human_table.human_table(table) == []


@pytest.mark.parametrize(
    ("label", "plausible", "says"),
    [
        ({"exposure_ms": 67}, {}, "less than 100: a browser cannot promise that"),
        ({"exposure_ms": -1}, {}, "exposure_ms"),
        ({"exposure_ms": 0}, {}, "first question never shows its pictures"),
        ({"response_window_ms": 300}, {}, "response_window_ms"),
        ({"exposure_ms": "short"}, {}, "exposure_ms"),
    ],
)
def test_impossible_times_are_refused_with_the_reason(tmp_path, label, plausible, says):
    path = tmp_path / "timed.yaml"
    path.write_text(yaml.safe_dump(timed(label, plausible)))
    with pytest.raises(UsageError, match=says):
        study.load(str(path))


@pytest.mark.parametrize("name", questions.registry.names())
def test_only_what_is_written_has_no_response_window(name):
    question = questions.registry.get(name)
    items = [{"name": "why", "kind": "text", "prompt": "Why?"}]
    config = {"items": items} if name == "survey" else {}
    if question.composed:
        with pytest.raises(UsageError, match="against the clock"):
            questions.registry.create(name, **config, response_window_ms=2000)
    else:
        assert questions.registry.create(name, **config, response_window_ms=2000)


def test_the_linter_wants_the_time_to_be_told():
    def found(**texts):
        made = timed({"response_window_ms": 2000}, texts={**DEMO["texts"], **texts})
        return [p.place for p in lint.problems(study.Study(**made)) if p.rule == "time_is_told"]

    assert found() == ["texts.instructions"]
    german = {"title": "?", "texts": {"feedback_right": "Ja."}}
    made = timed({"response_window_ms": 2000}, translations={"de": german})
    (lacking,) = (
        p.message for p in lint.problems(study.Study(**made)) if p.place == "translations.de.texts"
    )
    assert "feedback_late" in lacking
    assert found(instructions="You have two seconds for each answer.") == []

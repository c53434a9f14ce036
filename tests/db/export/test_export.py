"""The export: one row per trial, every column described, whole or absent."""

import hashlib
import json
import os
import re
from pathlib import Path

import pandas as pd
import pytest
from stored_study import participants, ratings, write_csv

from db import repository as repo
from db.errors import ExportError, StudyNotFoundError
from db.export import codebook, events, forms, iso_utc
from db.export.columns import TABLES
from db.export.formats import csv
from db.measured import Display, Timing
from db.models import AuditEntry, Response

AGREED = [
    "row_id",
    "event_id",
    "study_id",
    "study_version",
    "plan_hash",
    "participant_id",
    "provider",
    "stage",
    "block",
    "trial_index",
    "trial_type",
    "task",
    "stimulus_id",
    "stimulus_sha256",
    "source_dataset",
    "source_index",
    "source_image_id",
    "true_label",
    "model_id",
    "weights_sha256",
    "defense",
    "attack",
    "attack_target",
    "attack_params_json",
    "linf",
    "l2",
    "l0",
    "model_pred",
    "model_conf",
    "saliency_method",
    "saliency_sha256",
    "pictures_json",
    "options_json",
    "correct_option",
    "response",
    "response_label",
    "chosen_stimulus_id",
    "values_json",
    "n_changes",
    "rt_ms",
    "rt_source",
    "onset_error_ms",
    "display_css_px",
    "device_pixel_ratio",
    "upscale_factor",
    "rendering",
    "window_w",
    "window_h",
    "hidden_ms",
    "focus_lost_n",
    "refused_n",
    "input",
    "started_utc",
    "received_utc",
    "excluded",
    "exclusion_rule",
]


@pytest.fixture
def person(lab):
    """Somebody who answered the first five of eight trials."""
    person = lab.admit(lab.open())
    for trial in lab.trials(person)[:5]:
        lab.answer(person, trial.trial_id, "cant_tell", answer_label="Can't tell")
    return person


def export(lab, out: Path, **options) -> dict[str, pd.DataFrame]:
    write_csv(lab.database, "demo", out, lab.now, **options)
    return {path.stem: pd.read_csv(path) for path in out.glob("*.csv")}


def test_one_row_for_every_answered_trial_in_order(lab, person):
    other = lab.finish(lab.admit(lab.open()))
    assert other.progress.complete
    with lab.database.read() as s:
        table = ratings(s, "demo")
    assert len(table) == 5 + 8
    assert table["row_id"].is_unique
    keys = list(zip(table["participant_id"], table["trial_index"], strict=True))
    assert keys == sorted(keys)
    mine = table[table["participant_id"] == person.id]
    assert list(mine["row_id"]) == [trial.trial_id for trial in lab.trials(person)[:5]]


def test_a_row_says_what_was_answered_and_leads_back_to_the_weights(lab, person):
    with lab.database.read() as s:
        table = ratings(s, "demo")
    seen = lab.stimuli[(1 + person.list_index) % 4], lab.stimuli[(2 + person.list_index) % 4]
    for row, stimulus in zip((table.iloc[2], table.iloc[4]), seen, strict=True):
        assert (row["stimulus_id"], row["stimulus_sha256"]) == (
            stimulus.stimulus_id,
            stimulus.pixels_sha256,
        )
        index = lab.stimuli.index(stimulus)
        assert (row["source_index"], row["true_label"]) == (index, index)
        adversarial = index % 2 == 0
        assert pd.notna(row["weights_sha256"]) == adversarial
        assert pd.notna(row["linf"]) == adversarial
        if adversarial:
            assert row["attack"] == "tgsm"
            assert row["attack_params_json"] == '{"step_size":0.1,"steps":10}'
            assert (row["attack_target"], row["model_pred"], row["l0"]) == (
                index + 1,
                index + 1,
                300,
            )
    row = table.iloc[2]
    assert (row["trial_type"], row["task"], row["condition"], row["block"]) == (
        "main",
        "label_nafc",
        "gradient_penalty",
        1,
    )
    assert (row["response"], row["response_label"], row["n_changes"]) == (
        "cant_tell",
        "Can't tell",
        0,
    )
    assert (row["rt_ms"], row["rt_source"], row["rendering"], row["window_w"]) == (
        612.5,
        "event",
        "exact",
        1280,
    )
    assert row["received_utc"] == "2026-11-21T10:20:30.123Z" == iso_utc(lab.now)
    assert row["options_json"].startswith('[{"key":"0","label":"0","value":"0"},')
    assert not row["excluded"]
    assert table.iloc[0]["trial_type"] == "practice"


def test_of_a_changed_answer_the_last_is_the_rating_and_the_trail_keeps_both(lab):
    """No question takes a second answer today; the tables and the export are ready for one."""
    person = lab.admit(lab.open())
    trial = lab.trials(person)[0].trial_id
    lab.answer(person, trial, "3")
    second = {"trial_id": trial, "event_id": "e2", "attempt": 2, "answer": "4", "answer_label": "4"}
    second |= {"timing_json": "{}", "display_json": "{}", "received_at": lab.later(seconds=1)}
    lab.database.write(lambda s: s.add(Response(**second)))
    lab.answer(person, trial, "5", event_id="e3", now=lab.later(seconds=1))
    with lab.database.read() as s:
        table, trail = ratings(s, "demo"), events(s, "demo")
        people = participants(s, "demo")
    assert list(people["refused_answers"]) == [1]
    assert list(table["response"]) == ["4"]
    assert list(table["n_changes"]) == [1]
    assert list(trail["response"]) == ["3", "4", "5"]
    assert list(trail["kind"]) == ["stored", "stored", "refused"]
    assert pd.isna(trail["rt_ms"].iloc[2])


def test_answers_about_several_pictures_lead_back_to_each(lab):
    version = lab.open()
    person, _ = lab.consent(version)
    ids = [row.stimulus_id for row in lab.stimuli]
    layouts = ("pictures", "pictures", "grid", "rank")
    options = [{"value": value, "label": value, "key": ""} for value in ("0", "1", "tie")]

    def draw(arm, list_index, seed):
        return [
            repo.PlannedPresentation(
                stimulus_id=ids[1],
                phase="main",
                role="main",
                condition="c",
                block=1,
                trials=(repo.PlannedTrial("task", {"layout": layout, "options": options}),),
                further=(ids[3], ids[0]) if layout == "rank" else (ids[2],),
            )
            for layout in layouts
        ]

    lab.database.write(
        lambda s: repo.admit(s, participant_id=person.id, slots=lab.slots, draw=draw, now=lab.now)
    )
    given = ("1", "tie", "0", "2,0,1")
    for trial, value in zip(lab.trials(person), given, strict=True):
        lab.answer(person, trial.trial_id, value, values={"confidence": 2.5, "place": value})
    with lab.database.read() as s:
        table = ratings(s, "demo")
    assert table["chosen_stimulus_id"].fillna("").tolist() == [ids[2], "", "", ""]
    assert [json.loads(text) for text in table["pictures_json"]] == [
        [ids[1], ids[2]],
        [ids[1], ids[2]],
        [ids[1], ids[2]],
        [ids[1], ids[3], ids[0]],
    ]
    assert table["stimulus_id"].tolist() == [ids[1]] * 4
    assert json.loads(table["values_json"][3]) == {"confidence": 2.5, "place": "2,0,1"}


def test_forms_are_one_row_a_question_of_the_last_attempt(lab):
    version = lab.open()
    person, _ = lab.consent(version)

    def send(form, attempt, answers, passed, device=None):
        lab.database.write(
            lambda s: repo.record_form(
                s,
                participant_id=person.id,
                form=form,
                attempt=attempt,
                answers=answers,
                device=device,
                passed=passed,
                now=lab.later(minutes=1),
            )
        )

    device = {"touch": True, "css_px_per_mm": 3.8}
    send("screening", 1, {"age": 33.0, "eyes": ["good", "two"], "why": None}, True, device)
    send("comprehension", 1, {"stop": "no"}, False)
    send("comprehension", 2, {"stop": "yes"}, True)
    with lab.database.read() as s:
        table, people = forms(s, "demo"), participants(s, "demo")
        assert len(forms(s, "demo", stage="pilot")) == 0
    columns = ["participant_id", "form", "item", "answer", "attempts", "passed"]
    assert table[columns].astype(object).where(table.notna(), None).to_numpy().tolist() == [
        [person.id, "screening", "age", "33.0", 1, True],
        [person.id, "screening", "eyes", '["good","two"]', 1, True],
        [person.id, "screening", "why", None, 1, True],
        [person.id, "comprehension", "stop", "yes", 2, True],
    ]
    assert table["received_utc"].iloc[-1] == iso_utc(lab.now)
    row = people.iloc[0]
    assert (row["comprehension_attempts"], row["css_px_per_mm"]) == (2, 3.8)
    assert json.loads(row["device_json"]) == device


def test_whoever_exports_is_in_the_audit_log(lab, person, tmp_path):
    made = write_csv(lab.database, "demo", tmp_path / "one", lab.now, actor="ada")
    with lab.database.read() as s:
        (entry,) = s.query(AuditEntry).all()
    assert (entry.actor, entry.action) == ("ada", "export")
    assert json.loads(entry.detail_json) == {
        "study": "demo",
        "format": "csv",
        "rows": 5,
        "sha256": made.sha256,
    }


def test_stages_are_kept_apart(lab):
    pilot = lab.open(stage="pilot")
    lab.finish(lab.admit(pilot))
    with lab.database.read() as s:
        assert len(ratings(s, "demo")) == 0
        assert len(ratings(s, "demo", stage="pilot")) == 8


def test_what_a_browser_sends_under_a_wrong_type_becomes_empty(lab):
    person = lab.admit(lab.open())
    timing = {"focus_lost_n": "often", "hidden_ms": 10**400, "onset_error_ms": True, "input": [1]}
    lab.answer(person, lab.trials(person)[0].trial_id, timing=timing, display={"css_px": None})
    with lab.database.read() as s:
        row = ratings(s, "demo").iloc[0]
    assert row[["focus_lost_n", "hidden_ms", "onset_error_ms", "display_css_px"]].isna().all()
    assert row["input"] == "[1]"


@pytest.mark.parametrize(("document", "facts"), [("timing", Timing), ("display", Display)])
def test_every_fact_that_browsers_send_is_a_column_under_its_own_description(document, facts):
    book = {entry["source"]: entry for entry in codebook()}
    columns = {source for source in book if source.startswith(f"{document}:")}
    assert columns == {f"{document}:{name}" for name in facts.model_fields}
    for name, field in facts.model_fields.items():
        entry = book[f"{document}:{name}"]
        assert entry["description"] == field.description
        assert entry["column"] == {"css_px": "display_css_px"}.get(name, name)
    kinds = {
        "onset_ms": "Float64",
        "shown_n": "Int64",
        "input": "string",
        "forced_colors": "boolean",
    }
    for name in kinds.keys() & facts.model_fields.keys():
        assert book[f"{document}:{name}"]["dtype"] == kinds[name]


def test_refused_presses_are_exported_and_empty_where_nobody_counted_them(lab):
    person = lab.admit(lab.open())
    older, newer, *_ = lab.trials(person)
    lab.answer(person, older.trial_id)
    lab.answer(person, newer.trial_id, timing={"refused_n": 2})
    with lab.database.read() as s:
        column = ratings(s, "demo")["refused_n"]
    assert column.isna().tolist() == [True, False]
    assert column.iloc[1] == 2


def test_the_agreed_columns_are_there_and_every_column_is_described(lab, person, tmp_path):
    files = export(lab, tmp_path / "out")
    assert set(AGREED) <= set(files["ratings"].columns)
    assert [entry["column"] for entry in codebook()] == list(files["ratings"].columns)
    book = files["codebook"]
    for table in TABLES:
        assert list(book[book["table"] == table]["column"]) == list(files[table].columns)
    assert book[["description", "source", "dtype"]].notna().all().all()


def test_conditions_are_summarised_over_the_stimuli_that_people_were_shown(lab, person, tmp_path):
    files = export(lab, tmp_path / "out")
    held, shown = files["conditions"], files["stimuli"].set_index("stimulus_id")
    main = files["ratings"][files["ratings"]["trial_type"] == "main"]
    assert set(main["condition"]) <= set(held["condition"])
    assert set(held["study_version"]) == {1}
    disturbed = held[held["stimulus_kind"] == "adversarial"]
    assert len(disturbed)
    assert set(disturbed["l2_median"]) == set(disturbed["l2_p25"]) == {5.1}
    assert set(disturbed["linf_p75"]) == {0.7}
    assert set(disturbed["model_conf_median"]) == {0.93}
    clean = held[held["stimulus_kind"] == "clean"]
    assert len(clean)
    assert clean[["l2_median", "linf_median", "model_conf_median", "attack"]].isna().all().all()
    assert held["stimuli"].sum() <= len(held) * len(shown)
    assert (held["source_images"] <= held["stimuli"]).all()


def test_the_files_agree_with_each_other_and_their_checksums(lab, person, tmp_path):
    out = tmp_path / "deep" / "out"
    result = write_csv(lab.database, "demo", out, lab.now)
    files = {path.stem: pd.read_csv(path) for path in out.glob("*.csv")}
    assert set(files) == {*TABLES, "codebook"}
    assert (result.folder, result.rows) == (out, len(files["ratings"]))
    assert set(files["ratings"]["participant_id"]) == set(files["participants"]["participant_id"])
    assert set(files["ratings"]["event_id"]) <= set(files["events"]["event_id"])
    assert set(files["stimuli"]["stimulus_id"]) == {row.stimulus_id for row in lab.stimuli}
    assert files["participants"]["trials_answered"].tolist() == [5]
    assert files["participants"]["trials_total"].tolist() == [8]
    assert set(files["ratings"]["excluded"].astype(str)) == {"False"}
    checksums = (out / "checksums.sha256").read_bytes()
    listed = dict(reversed(line.split("  ")) for line in checksums.decode().splitlines())
    actual = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.glob("*.csv")
    }
    assert listed == actual
    with lab.database.read() as s:
        (record,) = repo.exports(s, "demo")
    assert (record.rows, record.sha256, record.stale) == (5, result.sha256, False)
    assert result.sha256 == hashlib.sha256(checksums).hexdigest()


def test_the_same_data_make_the_same_bytes(lab, person, tmp_path):
    one = write_csv(lab.database, "demo", tmp_path / "one", lab.now)
    two = write_csv(lab.database, "demo", tmp_path / "two", lab.later(days=1))
    assert one.sha256 == two.sha256


def test_no_secret_leaves(lab, tmp_path):
    version = lab.open()
    person, _ = lab.consent(
        version, token_sha256="t" * 64, provider_id="RAWID", provider_id_hmac="h" * 64
    )
    lab.database.write(
        lambda s: repo.admit(
            s,
            participant_id=person.id,
            slots=[("only", 0)],
            draw=lab.draw,
            now=lab.now,
        )
    )
    lab.finish(person)
    export(lab, tmp_path / "out")
    text = "".join(path.read_text() for path in (tmp_path / "out").iterdir())
    for secret in ("t" * 64, "RAWID", "h" * 64, "CODE"):
        assert secret not in re.sub(r"codebook.*", "", text)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+cmd", "'+cmd"),
        ("-cmd", "'-cmd"),
        ("@SUM(1)", "'@SUM(1)"),
        ("-1", "-1"),
        ("+2.5", "+2.5"),
        ("4", "4"),
        ("cant_tell", "cant_tell"),
        ("a=b", "a=b"),
        # Full-width signs are read in East Asia; a semicolon begins a cell in much of Europe.
        *((f"{sign}1+1", f"'{sign}1+1") for sign in "＝＋－＠"),
        ("a;=1+1;-3", "a;'=1+1;-3"),
        ("\n=1", "'\n'=1"),
        ("\t=1", "'\t'=1"),
        ("\ttext", "'\ttext"),
        ("\ufeff=1", "'\ufeff=1"),
        ("- one\n- two", "'- one\n'- two"),
    ],
)
def test_text_never_becomes_a_formula(text, safe):
    assert csv.without_formulas(text) == safe


def test_no_formula_is_exported(lab, tmp_path):
    person = lab.admit(lab.open())
    lab.answer(person, lab.trials(person)[0].trial_id, "=1+1;＝1", rt_ms=-1.5)
    write_csv(lab.database, "demo", tmp_path / "out", lab.now)
    table = pd.read_csv(tmp_path / "out" / "ratings.csv", dtype={"response": "string"})
    assert table["response"].tolist() == ["'=1+1;'＝1"]
    assert table["rt_ms"].tolist() == [-1.5]
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700


def test_a_folder_in_use_is_left_alone(lab, person, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for target in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(ExportError, match="not an empty folder"):
            write_csv(lab.database, "demo", target, lab.now)
    (tmp_path / "empty").mkdir()
    assert write_csv(lab.database, "demo", tmp_path / "empty", lab.now).rows == 5


def test_an_unknown_study_leaves_nothing(lab, tmp_path):
    with pytest.raises(StudyNotFoundError, match="'cats'"):
        write_csv(lab.database, "cats", tmp_path / "out", lab.now)
    assert not (tmp_path / "out").exists()


def test_an_export_that_fails_leaves_nothing(lab, person, tmp_path, monkeypatch):
    def disk_full(descriptor):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(csv.os, "fsync", disk_full)
    folder = tmp_path / "exports"
    with pytest.raises(ExportError, match="No space left"):
        write_csv(lab.database, "demo", folder / "out", lab.now)
    assert list(folder.iterdir()) == []
    with lab.database.read() as s:
        assert repo.exports(s, "demo") == []


def test_somebody_who_withdraws_during_the_export_is_not_exported(
    lab, person, tmp_path, monkeypatch
):
    write = csv._write_files

    def withdraw_then_write(folder, frames, further):
        lab.database.write(lambda s: repo.withdraw(s, participant_id=person.id, now=lab.now))
        return write(folder, frames, further)

    monkeypatch.setattr(csv, "_write_files", withdraw_then_write)
    folder = tmp_path / "exports"
    with pytest.raises(ExportError, match="withdrew during the export"):
        write_csv(lab.database, "demo", folder / "out", lab.now)
    assert list(folder.iterdir()) == []

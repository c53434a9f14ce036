"""The participants' HTTP contract: from consent to the code, and nothing twice."""

import hashlib
import json

import pandas as pd
import pytest
from lab import Person
from sqlalchemy import func, select

from db import export, repository
from db.measured import Display, Timing
from db.models import AuditEntry, Participant, RefusedResponse, Response, Stimulus, Trial
from study_app import questions, study
from study_app.design import participant_plan, publish
from study_app.exclusions import judge
from study_app.outcomes.scoring import score


def count(lab, model):
    with lab.database.read() as s:
        return s.scalar(select(func.count()).select_from(model))


def test_the_whole_way(lab):
    answer = lab.consent()
    assert answer.status_code == 201
    assert answer.json()["state"] == "consented"
    person = Person(lab.client, answer.json()["token"])
    before = person.trials()
    assert (before["state"], before["trials"], before["total"]) == ("consented", [], 0)
    admitted = person.post("/api/admit", {}).json()
    assert admitted == {"state": "admitted", "position": 0, "total": 52}
    assert person.post("/api/admit", {}).json() == admitted

    plan = person.plan()
    assert len(plan) == 52
    given = {}
    for number, trial in enumerate(plan):
        chosen = trial["options"][number % len(trial["options"])]
        ack = person.answer(trial, chosen["value"]).json()
        assert ack["status"] == "stored"
        assert ack["position"] == number + 1
        assert ack["complete"] == (number == 51)
        assert ("feedback" in ack) == (trial["phase"] == "practice")
        given[trial["trial_id"]] = chosen
    done = person.trials()
    assert done["complete"]
    assert done["state"] == "complete"
    assert "Thank you" in done["debrief"]["html"]
    assert done["debrief"]["code"]

    with lab.database.read() as s:
        table = export.ratings(s, "demo", judge=judge, score=score)
    assert len(table) == 52
    for row in table.itertuples():
        assert row.response == given[row.row_id]["value"]
        assert row.response_label == given[row.row_id]["label"]


def test_the_same_nonce_is_the_same_person(lab):
    first = lab.consent(nonce="a" * 32)
    second = lab.consent(nonce="a" * 32)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["token"] == second.json()["token"]
    assert count(lab, Participant) == 1


def test_a_consent_whose_answer_was_lost_gets_in_although_the_text_has_changed(lab):
    lab.consent(nonce="a" * 32)
    changed = study.load("demo").model_copy(deep=True)
    texts = changed.texts.model_copy(update={"consent": "Other words."})
    changed = changed.model_copy(update={"texts": texts})
    publish.publish(changed, lab.state.store, lab.database)
    assert lab.consent(nonce="a" * 32).status_code == 200
    refused = lab.consent(nonce="b" * 32)
    assert refused.status_code == 409
    assert refused.json()["error"] == "consent_changed"


@pytest.mark.parametrize("token", [None, "", "x", "0" * 32, "' OR 1=1 --", "ü"])
def test_a_wrong_or_missing_token_gets_a_sentence_and_creates_nobody(lab, token):
    headers = {} if token is None else {"Authorization": f"Bearer {token}".encode()}
    trial = {"trial_id": "0" * 32}
    for answer in (
        lab.client.get("/api/trials", headers=headers),
        lab.client.post("/api/admit", json={}, headers=headers),
        lab.client.post("/api/response", json=trial, headers=headers),
        lab.client.post("/api/withdraw", json={}, headers=headers),
    ):
        assert answer.status_code == 401
        assert answer.json()["message"] == "This link is not valid any more."
    assert count(lab, Participant) == 0


def test_gets_create_nobody(lab):
    for path in ("/api/consent", "/api/trials", "/api/health", "/take?study=demo"):
        lab.client.get(path)
    assert count(lab, Participant) == 0


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"study": "nope"}, 404),
        ({"consent_sha256": "0" * 64}, 409),
        ({"consent_sha256": "short"}, 422),
        ({"nonce": "guessable"}, 422),
        ({"provider": {"name": "elsewhere", "id": None}}, 403),
        ({"provider": {"name": "prolific", "id": "a" * 24, "session": "b" * 24}}, 403),
        ({"provider": {"name": "direct", "id": "somebody"}}, 403),
        ({"provider": {"name": "direct", "id": "x" * 201}}, 422),
        ({"provider": {"name": "direct", "more": 1}}, 422),
        ({"language": "xx", "consent_sha256": "0" * 64}, 422),
        ({"extra": 1}, 422),
        ({"study": 7}, 422),
        ({"study": "x" * 140_000}, 413),
    ],
)
def test_a_consent_that_does_not_fit_is_refused_with_a_sentence(lab, changes, status):
    answer = lab.consent(**changes)
    assert answer.status_code == status
    assert set(answer.json()) - {"reason"} == {"error", "message"}
    assert count(lab, Participant) == 0


def test_a_closed_study_takes_nobody_new_and_lets_people_finish(lab):
    person = lab.participant()
    lab.database.write(lambda s: repository.set_study_status(s, name="demo", status="closed"))
    assert lab.consent().status_code == 404
    assert person.finish()["complete"]


def test_the_same_answer_twice_is_stored_once(lab):
    person = lab.participant()
    trial = person.plan()[0]
    event = "11111111-1111-4111-8111-111111111111"
    assert person.answer(trial, "3", event_id=event).json()["status"] == "stored"
    assert person.answer(trial, "3", event_id=event).json()["status"] == "duplicate"
    assert person.answer(trial, "3").json()["status"] == "duplicate"
    assert count(lab, Response) == 1


def test_another_answer_for_a_locked_trial_is_refused_and_logged(lab):
    person = lab.participant()
    trial = person.plan()[0]
    person.answer(trial, "3")
    refused = person.answer(trial, "4")
    assert refused.status_code == 409
    assert refused.json()["error"] == "locked"
    assert count(lab, Response) == 1
    assert count(lab, RefusedResponse) == 1
    with lab.database.read() as s:
        assert export.ratings(s, "demo", judge=judge, score=score)["response"].tolist() == ["3"]


def test_answers_may_arrive_late_and_in_any_order(lab):
    person = lab.participant()
    for trial in reversed(person.plan()):
        assert person.answer(trial).json()["status"] == "stored"
    assert person.trials()["complete"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"answer": "11"}, 422),
        ({"answer": "yes"}, 422),
        ({"answer": 3}, 422),
        ({"event_id": "1"}, 422),
        ({"attempt": 0}, 422),
        ({"attempt": 2}, 422),
        ({"attempt": 0, "rt_ms": -1}, 422),
        ({"trial_id": "0" * 32}, 404),
        ({"answer": "x" * 20_001}, 422),
        ({"timing": {"x": "y" * 140_000}}, 413),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_and_not_stored(lab, changes, status):
    person = lab.participant()
    answer = person.answer(person.plan()[0], **changes)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "message"}
    assert count(lab, Response) == 0


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"rt_ms": -1}, ["rt_ms"]),
        ({"rt_ms": "fast"}, ["rt_ms"]),
        ({"timing": "late"}, ["timing"]),
        ({"timing": {"hiden_ms": 3}}, ["timing.hiden_ms"]),
        ({"timing": {"hidden_ms": -0.1, "input": "key"}}, ["timing.hidden_ms"]),
        ({"timing": {"input": "pen"}, "display": {"window_w": True}},
         ["timing.input", "display.window_w"]),
        ({"display": {str(i): 0 for i in range(5000)}}, [f"display.{i}" for i in range(20)]),
    ],
)  # fmt: skip
def test_a_fact_that_cannot_be_is_refused_by_its_name(lab, changes, facts):
    person = lab.participant()
    answer = person.answer(person.plan()[0], **changes)
    assert answer.status_code == 422
    assert set(answer.json()) == {"error", "message", "facts"}
    assert answer.json()["facts"] == facts
    assert answer.json()["message"] == f"The request does not fit: {', '.join(facts)}."
    assert count(lab, Response) == 0


OLD_PLAYERS = [
    ({}, {}),
    # Of before presses were counted, of before a question had a time, and where nobody answered.
    (
        {
            "onset_ms": 1234.5, "response_ms": 2047, "first_ms": 812.5, "rt_source": "event",
            "frame_ms": 16.7, "onset_error_ms": 16.7, "hidden_ms": 0, "focus_lost_n": 0,
            "redraw_n": 0, "pixel_ratio_changes": 0, "input": "touch",
            "started_utc": "2026-11-21T10:20:29.000Z",
        },
        {
            "css_px": 266.6666666666667, "device_pixel_ratio": 1.5, "upscale_factor": 14,
            "rendering": "exact", "window_w": 1280, "window_h": 720,
        },
    ),
    (
        {"response_ms": None, "rt_source": None, "input": None, "exposure_ms": None},
        {"css_px": None, "rendering": "mismatch"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("timing", "display"), OLD_PLAYERS)
def test_what_a_player_from_before_sends_is_kept_as_it_came(lab, timing, display):
    person = lab.participant()
    answer = person.answer(person.plan()[0], "3", timing=timing, display=display)
    assert answer.json()["status"] == "stored"
    with lab.database.read() as s:
        (held,) = s.query(Response).all()
        row = export.ratings(s, "demo", judge=judge, score=score).iloc[0]
    assert json.loads(held.timing_json) == timing
    assert json.loads(held.display_json) == display
    sent = {**timing, **display, "display_css_px": display.get("css_px")}
    for name in [*Timing.model_fields, *(set(Display.model_fields) - {"css_px"}), "display_css_px"]:
        value = sent.get(name)
        assert pd.isna(row[name]) if value is None else row[name] == value, name


def test_nobody_can_answer_or_see_anothers_trials(lab):
    one, other = lab.participant(), lab.participant()
    mine = one.plan()
    assert other.answer(mine[0]).status_code == 404
    assert not {t["trial_id"] for t in mine} & {t["trial_id"] for t in other.plan()}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"a":1}'])
def test_broken_bodies_are_422(lab, body):
    person = lab.participant()
    headers = {**person.headers, "content-type": "application/json"}
    answer = lab.client.post("/api/response", content=body, headers=headers)
    assert answer.status_code == 422
    plain = lab.client.post("/api/response", content=body, headers=person.headers)
    assert plain.status_code == 422


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
@pytest.mark.parametrize("place", ["timing", "display"])
def test_numbers_that_json_has_not_are_422(lab, place, number):
    person = lab.participant()
    fact = {"timing": "hidden_ms", "display": "css_px"}[place]
    answer = person.answer(person.plan()[0], **{place: {fact: 4711}})
    assert answer.status_code == 200
    content = answer.request.content.replace(b"4711", number.encode())
    headers = {**person.headers, "content-type": "application/json"}
    answer = lab.client.post("/api/response", content=content, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["facts"] == [f"{place}.{fact}"]


@pytest.mark.parametrize("query", ["from=x", "n=1e3", "from=", "n=99999999999999999999x"])
def test_wrong_numbers_are_422_and_large_ones_are_clipped(lab, query):
    person = lab.participant()
    assert lab.client.get(f"/api/trials?{query}", headers=person.headers).status_code == 422
    assert len(person.trials(0, 1000)["trials"]) == 20
    assert person.trials(10**9)["trials"] == []


def test_stimuli_are_the_verified_bytes_and_cacheable_for_ever(lab):
    trial = lab.participant().plan()[0]
    (picture,) = trial["images"]
    answer = lab.client.get(picture["url"])
    assert answer.headers["content-type"] == "image/png"
    assert "immutable" in answer.headers["cache-control"]
    assert hashlib.sha256(answer.content).hexdigest() == picture["sha256"]
    assert lab.client.get("/s/" + "0" * 32 + ".png").status_code == 404


def test_nothing_that_must_not_be_known_reaches_the_browser_before_the_debrief(lab):
    """Neither true label, nor whether a shown one is right, defense, attack, source or position."""
    person = lab.participant()
    plan = person.plan()
    allowed = {
        "trial_id", "position", "presentation_id", "presentation", "phase", "block", "task",
        "images", "prompt", "layout", "options", "picture_sizes",
    }  # fmt: skip
    assert all(set(trial) == allowed for trial in plan)
    received = [json.dumps(plan).encode()]
    for trial in plan[:-1]:
        assert all(set(p) == {"url", "sha256", "width", "height"} for p in trial["images"])
        received += [lab.client.get(picture["url"]).content for picture in trial["images"]]
        ack = person.answer(trial)
        received += [ack.content, json.dumps(dict(ack.headers)).encode()]
        assert set(ack.json()) - {"feedback"} == {"status", "position", "complete"}
    received.append(json.dumps(person.trials(0, 20)).encode())
    everything = b"\n".join(received)
    with lab.database.read() as s:
        passports = [x.passport for x in repository.stimuli_of(s, lab.version.id)]
    secret = {w for p in passports for w in (p["source"]["image_id"], p["source"]["data_sha256"])}
    secret |= {p["model"]["weights_sha256"] for p in passports if p["model"]}
    secret |= {p["pixels"]["sha256"] for p in passports}
    words = ["gradient_penalty", "adversarial", "distill", "tgsm", "fgsm", "catch", "noise",
             "condition", "impossible", "true_label", "correct_option", "source"]  # fmt: skip
    for word in (*secret, *words):
        assert word.encode() not in everything, word
    # What is said after practice names no label.
    assert b"tEXt" not in everything
    assert b"iTXt" not in everything
    assert "debrief" not in person.trials()


def test_a_trial_looks_the_same_whatever_its_role(lab):
    """Catch, control and attacked pictures cannot be told apart by anything but their pixels."""
    main = [t for t in lab.participant().plan() if t["phase"] == "main"]
    shapes = {
        (t["task"], tuple(sorted(t)), t["layout"], len(t["options"]), t["images"][0]["width"])
        for t in main
    }
    assert len(shapes) == 2


def test_withdrawal_deletes_and_frees(lab):
    person = lab.participant()
    person.answer(person.plan()[0])
    assert person.post("/api/withdraw", {}).json() == {"state": "withdrawn"}
    assert person.post("/api/withdraw", {}).status_code == 401
    assert count(lab, Participant) == 0
    assert count(lab, Response) == 0


def test_admissions_fill_the_lists_evenly(lab):
    for _ in range(23):
        lab.participant()
    with lab.database.read() as s:
        filled = s.execute(
            select(Participant.list_index, func.count()).group_by(Participant.list_index)
        ).all()
    counts = [n for _, n in filled]
    assert len(counts) == 20
    assert max(counts) - min(counts) <= 1


def test_a_broken_database_is_503_with_a_sentence(lab, monkeypatch):
    from db.errors import DatabaseError

    def broken(*_args):
        raise DatabaseError("disk full")

    person = lab.participant()
    trial = person.plan()[0]
    monkeypatch.setattr(lab.database, "submit", broken)
    answer = person.answer(trial)
    assert answer.status_code == 503
    assert "disk" not in answer.text


def test_practice_says_what_was_given_and_what_is_right_in_ones_own_language(lab):
    texts = {
        "consent": "Ja?",
        "feedback_right": "Stimmt: {right}.",
        "feedback_wrong": "Gegeben {given}, richtig {right}.",
    }
    words = {"3": "drei", "Yes": "Ja", "No": "Nein"} | {str(n): f"Zahl {n}" for n in range(10)}
    lab.change(translations={"de": {"title": "T", "texts": texts, "words": words}})
    person = lab.participant(language="de")
    first = next(t for t in person.plan() if t["phase"] == "practice")
    assert first["options"][0]["label"] == "Zahl 0"
    with lab.database.read() as s:
        right = s.get(Trial, first["trial_id"]).correct_option
    wrong = str((int(right) + 1) % 10)
    said = person.answer(first, wrong).json()["feedback"]
    assert said == {"correct": False, "text": f"Gegeben Zahl {wrong}, richtig Zahl {right}."}
    other = lab.participant(language="de")
    own = next(t for t in other.plan() if t["phase"] == "practice")
    with lab.database.read() as s:
        right = s.get(Trial, own["trial_id"]).correct_option
    assert other.answer(own, right).json()["feedback"] == {
        "correct": True,
        "text": f"Stimmt: Zahl {right}.",
    }


@questions.register
class Remark(questions.Question):
    """A question for these tests: any text; "{right}" and case are told apart by the server."""

    prompt: str = "What?"

    @classmethod
    def read(cls, view, answer):
        if not answer:
            raise questions.AnswerError("Please write something.")
        return questions.Given(answer.strip().lower(), answer, {"length": len(answer)})


def show_two(lab, monkeypatch, **trial):
    """Have every plan be one practice presentation of two pictures with one text question."""
    with lab.database.read() as s:
        ids = [row.stimulus_id for row in repository.stimuli_of(s, lab.version.id)][:2]
    view = {"prompt": "What?", "layout": "text", "options": [], "max_length": 20_000}
    planned = repository.PlannedPresentation(
        stimulus_id=ids[0],
        phase="practice",
        role="practice",
        condition="practice",
        block=0,
        trials=(repository.PlannedTrial(Remark.name, view, **trial),),
        further=(ids[1],),
    )
    monkeypatch.setattr(participant_plan, "draw", lambda *_, **__: [planned])
    return ids


def test_several_pictures_and_long_texts_go_through(lab, monkeypatch):
    ids = show_two(lab, monkeypatch, correct_option="ja")
    person = lab.participant()
    (trial,) = person.plan()
    assert len(trial["images"]) == 2
    for picture, stimulus_id in zip(trial["images"], ids, strict=True):
        content = lab.client.get(picture["url"]).content
        with lab.database.read() as s:
            assert content == s.get(Stimulus, stimulus_id).png
    assert person.answer(trial, "").json()["message"] == "Please write something."
    text = "𝄞" * 19_998 + " {right}"
    assert person.answer(trial, text[:20_001]).status_code == 422
    stored = person.answer(trial, text[8:])
    assert stored.status_code == 200
    assert stored.json()["feedback"]["correct"] is False
    with lab.database.read() as s:
        table = export.ratings(s, "demo", judge=judge, score=score)
    assert table["response"].tolist() == [text[8:].strip().lower()]
    assert json.loads(table["values_json"][0]) == {"length": 19_998}
    assert json.loads(table["pictures_json"][0]) == ids


def test_right_or_wrong_is_judged_by_the_one_spelling(lab, monkeypatch):
    lab.change(texts=lab.version.config["texts"] | {"feedback_right": "{given} / {right}, {other}"})
    show_two(lab, monkeypatch, correct_option="{given} ja")
    person = lab.participant()
    said = person.answer(person.plan()[0], " {GIVEN} JA ").json()["feedback"]
    assert said == {"correct": True, "text": " {GIVEN} JA  / {given} ja, {other}"}


def test_what_researchers_do_is_logged(lab):
    lab.client.post("/api/login", json={"password": "guess"})
    lab.log_in()
    lab.client.get("/api/export/demo.zip").raise_for_status()
    lab.client.post("/api/logout", json={})
    lab.client.post("/api/logout", json={})
    with lab.database.read() as s:
        entries = s.query(AuditEntry).order_by(AuditEntry.id).all()
    assert [(entry.actor, entry.action) for entry in entries] == [
        ("server", "password"),
        ("nobody", "login refused"),
        ("researcher", "login"),
        ("researcher", "export"),
        ("researcher", "logout"),
    ]

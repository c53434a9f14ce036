"""What the page hands to the player: languages, words, and who somebody is."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest
from databases import on_sqlite
from starlette.datastructures import QueryParams

from db import repository
from study_app.installation import tokens
from study_app.participation import refusals
from study_app.participation.load import texts_of
from study_app.participation.player_data import player_data
from study_app.player import ui_strings

GERMAN = {
    "title": "Was sehen Sie?",
    "texts": {"consent": "**Mögen** Sie?", "instructions": ""},
    "words": {},
}
ESPERANTO = {"title": "Kion vi vidas?", "texts": {}, "words": {}}


@pytest.fixture
def texts(lab):
    return texts_of(lab.change(translations={"de": GERMAN, "eo": ESPERANTO}))


@on_sqlite
def test_every_language_has_its_words(lab, texts):
    data = player_data(texts)
    assert data["languages"] == ["en", "de", "eo"]
    assert set(data["wordings"]) == {"en", "de", "eo"}
    english, german, esperanto = (data["wordings"][tag] for tag in data["languages"])
    assert german["title"] == "Was sehen Sie?"
    assert german["consent_html"] == "<p><strong>Mögen</strong> Sie?</p>\n"
    assert german["consent_sha256"] == hashlib.sha256("**Mögen** Sie?".encode()).hexdigest()
    # What is not translated is the study's own; a language the player does not speak is English.
    assert german["instructions_html"] == english["instructions_html"]
    assert esperanto["consent_sha256"] == english["consent_sha256"]
    assert esperanto["ui"] == ui_strings("en")
    reply = lab.consent(language="de", consent_sha256=german["consent_sha256"])
    assert reply.status_code == 201
    other = lab.consent(language="en", consent_sha256=german["consent_sha256"])
    assert other.json()["error"] == "consent_changed"


@on_sqlite
@pytest.mark.parametrize(
    ("query", "locale", "language"),
    [
        ({}, None, "en"),
        ({"lang": "de"}, "eo", "de"),
        ({"lang": "de-AT"}, None, "de"),
        ({"lang": "DE"}, None, "de"),
        ({"lang": "fr"}, "de-CH", "de"),
        ({"lang": "fr"}, "fr", "en"),
        ({"lang": ""}, "de", "de"),
        ({}, "fr, eo;q=0.2, de;q=0.7", "de"),
    ],
)
def test_it_begins_in_the_language_asked_for_else_the_browsers_else_its_own(
    texts, query, locale, language
):
    data = player_data(texts, query, locale)
    assert data["language"] == language
    words = data["wordings"][language]
    assert {key: data[key] for key in words} == words


@on_sqlite
def test_it_says_who_somebody_is_and_the_way_back_of_who_declines(lab):
    pid, session = "5f" * 12, "7b" * 12
    codes = {"name": "prolific", "complete": "C1SECRET", "no_consent": "C3NO"}
    texts = texts_of(lab.change(provider=codes))
    data = player_data(texts, {"PROLIFIC_PID": pid, "SESSION_ID": session})
    assert data["provider"] == {"name": "prolific", "id": pid, "session": session}
    assert data["no_consent"] == {
        "code": "C3NO",
        "redirect": "https://app.prolific.com/submissions/complete?cc=C3NO",
    }
    assert "C1SECRET" not in str(data)
    assert player_data(texts)["provider"]["id"] is None


def test_an_unknown_study_has_the_players_words_in_the_readers_language():
    data = player_data(None, {"study": "nope", "lang": "xx"}, "fr, de;q=0.5")
    assert (data["status"], data["language"], data["title"]) == ("unknown", "de", "")
    assert data["ui"] == ui_strings("de")
    assert player_data(None)["language"] == "en"
    assert data["provider"] == {"name": "direct", "id": None, "session": None}


PID, SESSION = "5f" * 12, "7b" * 12
PROLIFIC = {"name": "prolific", "complete": "C1SECRET"}
ASKED = {"PROLIFIC_PID": PID, "SESSION_ID": SESSION}


def refusal(lab, version, query):
    """What the page says to whoever opens this link."""
    refuses = partial(refusals.refusal, lab.database, lab.state.key, version, now=datetime.now(UTC))
    return player_data(replace(texts_of(version), refuses=refuses), query)["refusal"]


def one_person():
    return {"quota": {"participants": 1, "per_arm": None}}


@on_sqlite
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (ASKED, None),
        (QueryParams(ASKED), None),
        ({}, "no_prolific_id"),
        (ASKED | {"PROLIFIC_PID": "{{%PROLIFIC_PID%}}"}, "no_prolific_id"),
        (QueryParams([*ASKED.items(), ("PROLIFIC_PID", "5e" * 12)]), "doubled_id"),
        (QueryParams([*ASKED.items(), ("lang", "en"), ("lang", "de")]), None),
    ],
)
def test_a_link_says_whom_it_excludes(lab, query, reason):
    said = refusal(lab, lab.change(provider=PROLIFIC), query)
    assert said == (reason and {"error": "not_invited", "reason": reason})


@on_sqlite
def test_a_full_study_says_so_to_all_but_those_who_are_in_it(lab):
    version = lab.change(**one_person(), provider=PROLIFIC)
    assert refusal(lab, version, ASKED) is None
    given = {"name": "prolific", "id": PID, "session": SESSION}
    lab.participant(provider=given)
    assert refusal(lab, version, ASKED) is None
    assert refusal(lab, version, ASKED | {"PROLIFIC_PID": "5e" * 12}) == {"error": "full"}


@on_sqlite
def test_a_study_that_was_closed_meanwhile_is_closed(lab):
    version = lab.change(**one_person())
    lab.database.write(lambda s: repository.set_study_status(s, name="demo", status="closed"))
    assert refusal(lab, version, {}) == {"error": "closed"}


@on_sqlite
def test_invitations_are_known_before_the_consent(lab):
    version = lab.change(provider={"name": "invitation"})
    code = tokens.invitation_code()
    assert refusal(lab, version, {"invitation": code}) == {
        "error": "not_invited",
        "reason": "invitation",
    }


@on_sqlite
def test_a_shared_device_is_told_to_the_player(lab):
    assert player_data(texts_of(lab.change(shared_device=True)))["shared_device"] is True
    assert player_data(texts_of(lab.change(shared_device=False)))["shared_device"] is False

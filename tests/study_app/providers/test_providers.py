"""Where people come from: who may take part, who is the same person, and the way back."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from crowd import run
from lab import open_lab
from live_server import LiveServer
from sqlalchemy import select
from typer.testing import CliRunner

from db import repository
from db.errors import DatabaseError
from db.models import AuditEntry, Invitation, Participant, ProviderIdentity
from db.session import Database
from engine.errors import UsageError
from study_app import providers
from study_app.cli import studies
from study_app.forms import Item
from study_app.installation import tokens
from study_app.player import ui_strings
from study_app.providers import Identity
from study_app.server import upkeep

PID, OTHER, SESSION = "5f" * 12, "6a" * 12, "7b" * 12
PROLIFIC = {
    "name": "prolific",
    "complete": "C1DONE",
    "screened_out": "C2OUT",
    "failed_check": None,
    "no_consent": "C3NO",
    "study_id": None,
}
SONA = {
    "name": "sona",
    "credit": "https://s.sona-systems.com/webstudy_credit.aspx?experiment_id=1"
    "&credit_token=4e48&survey_code={id}",
}
AGE = Item(name="age", kind="number", prompt="Age?", low=18).model_dump(mode="json")


def come(lab, provider, id, session=None, **changes):
    return lab.consent(provider={"name": provider, "id": id, "session": session}, **changes)


def rows(lab, model):
    with lab.database.read() as s:
        return list(s.scalars(select(model)))


def test_every_provider_has_a_file():
    assert providers.registry.names() == ["direct", "invitation", "prolific", "sona"]
    with pytest.raises(UsageError, match="known: direct, invitation, prolific, sona"):
        providers.registry.create("mturk")


@pytest.mark.parametrize(
    ("config", "query", "identity"),
    [
        ({"name": "direct"}, {"PROLIFIC_PID": PID}, Identity()),
        (PROLIFIC, {"PROLIFIC_PID": PID, "SESSION_ID": SESSION}, Identity(PID, SESSION)),
        (PROLIFIC | {"study_id": OTHER}, {"PROLIFIC_PID": PID, "SESSION_ID": SESSION}, Identity()),
        (
            PROLIFIC | {"study_id": OTHER},
            {"PROLIFIC_PID": PID, "SESSION_ID": SESSION, "STUDY_ID": OTHER},
            Identity(PID, SESSION),
        ),
        (SONA, {"survey_code": " 4711 "}, Identity("4711")),
        (SONA, {"id": "4711"}, Identity("4711")),
        ({"name": "invitation"}, {"invitation": "abcd-efgh-2345-6789"},
         Identity("ABCD-EFGH-2345-6789")),
        ({"name": "invitation"}, {"invitation": "x" * 999}, Identity("X" * 200)),
        ({"name": "invitation"}, {}, Identity()),
    ],
)  # fmt: skip
def test_a_link_says_who_somebody_is(config, query, identity):
    assert providers.registry.from_config(config).identity(query) == identity


@pytest.mark.parametrize(
    ("config", "identity", "reason"),
    [
        ({"name": "direct"}, Identity("somebody"), "plain_link"),
        (PROLIFIC, Identity(), "no_prolific_id"),
        (PROLIFIC, Identity(PID), "no_prolific_id"),
        (PROLIFIC, Identity("{{%PROLIFIC_PID%}}", "{{%SESSION_ID%}}"), "no_prolific_id"),
        (PROLIFIC, Identity(PID.upper(), SESSION), "no_prolific_id"),
        (PROLIFIC, Identity(PID + "\n", SESSION), "no_prolific_id"),
        (SONA, Identity(), "no_sona_code"),
        (SONA, Identity("%SURVEY_CODE%"), "no_sona_code"),
        ({"name": "invitation"}, Identity(), "no_invitation"),
        ({"name": "invitation"}, Identity("ABCD"), "invitation"),
    ],
)
def test_who_may_not_take_part_hears_why(config, identity, reason):
    refusal = providers.registry.from_config(config).refusal(identity)
    assert refusal is not None
    assert refusal.reason == reason
    assert refusal.message.endswith(".")
    # The player says it in the participant's own language; an open link has no id to be wrong.
    assert f"{reason}_text" in ui_strings("en") or reason == "plain_link"


@pytest.mark.parametrize(
    ("config", "outcome", "code", "redirect"),
    [
        (PROLIFIC, "complete", "C1DONE",
         "https://app.prolific.com/submissions/complete?cc=C1DONE"),
        (PROLIFIC, "screened_out", "C2OUT",
         "https://app.prolific.com/submissions/complete?cc=C2OUT"),
        (PROLIFIC, "failed_check", None, None),
        (PROLIFIC, "no_consent", "C3NO",
         "https://app.prolific.com/submissions/complete?cc=C3NO"),
        (SONA, "screened_out", None, None),
        ({"name": "direct"}, "failed_check", None, None),
        ({"name": "invitation"}, "no_consent", None, None),
    ],
)  # fmt: skip
def test_the_way_back_for_each_outcome(config, outcome, code, redirect):
    provider = providers.registry.from_config(config)
    assert provider.code(outcome) == code
    assert provider.redirect(outcome, code, "4711") == redirect


def test_sona_grants_credit_only_on_completion_and_to_a_known_id():
    provider = providers.registry.from_config(SONA)
    address = SONA["credit"].replace("{id}", "4%261")
    assert provider.redirect("complete", "X", "4&1") == address
    assert provider.redirect("complete", "X", None) is None


def test_completion_codes_of_open_links_are_ones_own():
    provider = providers.registry.create("direct")
    assert provider.code("complete") != provider.code("complete")


@pytest.mark.parametrize(
    "config",
    [
        {"name": "prolific"},
        PROLIFIC | {"complete": "C1 DONE"},
        PROLIFIC | {"study_id": "short"},
        {"name": "sona", "credit": "https://x.org/no-place"},
        {"name": "sona", "credit": "javascript:{id}"},
        {"name": "direct", "more": 1},
    ],
)
def test_a_provider_configured_wrongly_is_refused(config):
    with pytest.raises(UsageError):
        providers.registry.from_config(config)


def test_from_prolific_and_back(lab):
    lab.change(provider=PROLIFIC)
    elsewhere = come(lab, "direct", None)
    assert (elsewhere.status_code, elsewhere.json()["reason"]) == (403, "other_link")
    refused = come(lab, "prolific", PID)
    assert refused.status_code == 403
    assert refused.json() == {
        "error": "not_invited",
        "reason": "no_prolific_id",
        "message": "Please open this study from Prolific: the link must bring your Prolific ID.",
    }
    assert rows(lab, Participant) == []
    person = lab.participant(provider={"name": "prolific", "id": PID, "session": SESSION})
    assert person.finish()["debrief"]["code"] == "C1DONE"
    assert person.trials()["debrief"]["redirect"].endswith("?cc=C1DONE")
    (held,) = rows(lab, Participant)
    (raw,) = rows(lab, ProviderIdentity)
    assert held.provider_id_hmac == tokens.provider_id_hmac(lab.state.key, "demo", "prolific", PID)
    assert PID not in str(vars(held))
    assert (raw.provider_id, raw.session) == (PID, SESSION)


def test_who_is_screened_out_goes_back_with_that_code(lab):
    lab.change(
        provider=PROLIFIC,
        screening={"items": [AGE], "device": None, "calibration": False},
        texts=lab.version.config["texts"] | {"screened_out": "Thank you."},
    )
    person = lab.participant(
        admitted=False, provider={"name": "prolific", "id": PID, "session": SESSION}
    )
    person.form("screening", {"age": 3})
    assert person.trials()["ending"] == {
        "html": "<p>Thank you.</p>\n",
        "code": "C2OUT",
        "redirect": "https://app.prolific.com/submissions/complete?cc=C2OUT",
    }
    # From another browser they do not begin anew.
    again = come(lab, "prolific", PID, SESSION)
    assert (again.status_code, again.json()["state"]) == (200, "screened_out")


def test_the_newest_browser_holds_the_participant(lab):
    lab.change(provider=PROLIFIC)
    first = lab.participant(provider={"name": "prolific", "id": PID, "session": SESSION})
    first.answer(first.plan()[0]).raise_for_status()
    second = lab.participant(provider={"name": "prolific", "id": PID, "session": OTHER})
    assert second.trials()["position"] == 1
    assert first.post("/api/withdraw", {}).status_code == 401
    assert len(rows(lab, Participant)) == 1


def test_two_people_in_one_browser_are_two(lab):
    lab.change(provider=PROLIFIC)
    nonce = "a" * 32
    one = come(lab, "prolific", PID, SESSION, nonce=nonce)
    other = come(lab, "prolific", OTHER, SESSION, nonce=nonce)
    assert (other.status_code, other.json()["reason"]) == (403, "other_person")
    assert come(lab, "prolific", PID, SESSION, nonce=nonce).json() == one.json()
    come(lab, "prolific", OTHER, SESSION)
    assert come(lab, "prolific", OTHER, SESSION, nonce=nonce).status_code == 403


def test_credit_needs_the_raw_id_and_outlives_it_as_a_code(lab):
    lab.change(provider=SONA)
    person = lab.participant(provider={"name": "sona", "id": "4711", "session": None})
    debrief = person.finish()["debrief"]
    assert debrief["redirect"] == SONA["credit"].replace("{id}", "4711")
    assert debrief["code"]
    lab.database.write(lambda s: s.query(ProviderIdentity).delete())
    assert person.trials()["debrief"] == debrief | {"redirect": None}


def test_raw_ids_are_purged_when_their_time_is_over(lab):
    lab.change(provider=SONA)
    lab.participant(provider={"name": "sona", "id": "4711", "session": None})
    assert lab.database.write(upkeep.purge) == 0
    past = datetime.now(UTC) - timedelta(days=1)
    lab.database.write(lambda s: s.query(ProviderIdentity).update({"expires_at": past}))
    assert lab.database.write(upkeep.purge) == 1
    assert rows(lab, ProviderIdentity) == []
    assert len(rows(lab, Participant)) == 1
    assert [entry.action for entry in rows(lab, AuditEntry)][-1] == "purge"


@pytest.fixture
def invited(lab) -> list[str]:
    """Two codes of the lab's study."""
    lab.change(provider={"name": "invitation"})
    codes = [tokens.invitation_code() for _ in range(2)]
    hashes = [tokens.provider_id_hmac(lab.state.key, "demo", "invitation", c) for c in codes]
    now = datetime.now(UTC)
    lab.database.write(
        lambda s: repository.add_invitations(s, study_name="demo", code_hmacs=hashes, now=now)
    )
    return codes


def test_an_invitation_lets_in_one_person(lab, invited):
    unknown = come(lab, "invitation", tokens.invitation_code())
    assert (unknown.status_code, unknown.json()["reason"]) == (403, "invitation")
    nonce = "a" * 32
    first = come(lab, "invitation", invited[0], nonce=nonce)
    assert first.status_code == 201
    other = come(lab, "invitation", invited[1], nonce=nonce)
    assert (other.status_code, other.json()["reason"]) == (403, "other_person")
    again = come(lab, "invitation", invited[0])  # their phone
    assert (again.status_code, len(rows(lab, Participant))) == (200, 1)
    assert come(lab, "invitation", invited[1]).status_code == 201
    with lab.database.read() as s:
        assert repository.invitation_counts(s, "demo") == repository.InvitationCounts(2, 2)
    # The code is a password: it is nowhere in the clear.
    assert rows(lab, ProviderIdentity) == []
    assert invited[0] not in str([vars(row) for row in rows(lab, Invitation)])


def test_a_used_invitation_stays_used_when_its_holder_withdraws(lab, invited):
    person = lab.participant(provider={"name": "invitation", "id": invited[0], "session": None})
    person.post("/api/withdraw", {}).raise_for_status()
    refused = come(lab, "invitation", invited[0])
    assert (refused.status_code, refused.json()["reason"]) == (403, "used_invitation")
    assert "used" in refused.json()["message"]
    used = [row for row in rows(lab, Invitation) if row.used_at]
    assert [row.used_by for row in used] == [None]


@pytest.fixture
def command(monkeypatch, tmp_path, lab):
    """Runs `plausibly study` on the lab's database."""
    monkeypatch.setenv("PLAUSIBLY_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "secret.key").write_text(lab.state.key.decode())
    monkeypatch.setenv("DATABASE_URL", url_of(lab.database))
    return lambda *arguments: CliRunner().invoke(studies.app, list(arguments))


def url_of(database) -> str:
    if database.path is not None:
        return f"sqlite:///{database.path}"
    return str(database._backend._url.render_as_string(hide_password=False))


def test_invitations_are_made_and_printed_once(lab, command):
    lab.change(provider={"name": "invitation"})
    printed = command("invite", "demo", "--count", "3", "--url", "https://x.org/")
    links = printed.output.split()
    assert len(links) == 3
    start = "https://x.org/p/demo?invitation="
    assert all(link.startswith(start) for link in links)
    assert come(lab, "invitation", links[1].removeprefix(start)).status_code == 201
    assert "  invitations: 3 made, 1 used\n" in command("status", "demo").output
    assert "  invitations: 3 made, 1 used\n" in command("status", "demo").output
    as_json = command("invite", "demo", "--count", "1", "--json")
    assert len(json.loads(as_json.output)["invitations"]) == 1
    status = json.loads(command("status", "demo", "--json").output)
    assert status["invitations"] == {"made": 4, "used": 1}
    status = json.loads(command("status", "demo", "--json").output)
    assert status["invitations"] == {"made": 4, "used": 1}
    logged = [e for e in rows(lab, AuditEntry) if e.action == "invite"]
    assert [json.loads(e.detail_json) for e in logged] == [
        {"study": "demo", "count": 3},
        {"study": "demo", "count": 1},
    ]


@pytest.mark.parametrize(("study", "said"), [("demo", "provider 'direct'"), ("nope", "unknown")])
def test_invitations_need_a_study_that_wants_them(command, study, said):
    failed = command("invite", study, "--count", "1")
    assert isinstance(failed.exception, UsageError)
    assert said in str(failed.exception)


def test_the_server_purges_at_once_and_every_day(lab, monkeypatch):
    monkeypatch.setattr(upkeep, "PURGE_S", 0.01)
    monkeypatch.setattr(upkeep, "AGAIN_S", 0.01)
    calls = []

    def purge(s):
        calls.append(s)
        if len(calls) == 2:
            raise DatabaseError("The disk is full.")

    monkeypatch.setattr(upkeep, "purge", purge)

    async def a_while():
        task = asyncio.create_task(upkeep.keep_up(lab.database))
        while len(calls) < 4:
            assert not task.done()
            await asyncio.sleep(0.001)
        task.cancel()

    run(asyncio.wait_for(a_while(), 60))


def test_a_server_that_starts_purges_and_wipes_its_files(tmp_path, store):
    home = tmp_path / "made"
    lab = open_lab(home, store=store)
    lab.change(provider=SONA)
    lab.participant(provider={"name": "sona", "id": "471147114711", "session": None})
    past = datetime.now(UTC) - timedelta(days=1)
    lab.database.write(lambda s: s.query(ProviderIdentity).update({"expires_at": past}))
    lab.database.backup(home / "backups" / "study-before.db")
    lab.database.close()
    server = LiveServer(home, tmp_path)
    try:
        database = Database(server.home / "study.db")
        for _ in range(200):
            holding = [
                path
                for path in server.home.rglob("study*")
                if path.is_file() and b"471147114711" in path.read_bytes()
            ]
            if not holding:
                break
            time.sleep(0.05)
        with database.read() as s:
            assert s.query(ProviderIdentity).count() == 0
        database.close()
        assert not holding, server.output
    finally:
        server.stop()
    assert "Traceback" not in server.output

"""How often one participant may ask, and how many consents one address may give."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from lab import Person
from starlette.testclient import TestClient

from db.models import Participant
from study_app.api import Context, create_api
from study_app.api.limits import RateLimit, consent_limit, network_of


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_a_steady_rate():
    clock = Clock()
    limit = RateLimit(clock, burst=3, rate=2)
    assert [limit.wait_s("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert limit.wait_s("b") == 0
    clock.now += 0.25
    assert limit.wait_s("a") == 0.25
    clock.now += 0.25
    assert [limit.wait_s("a"), limit.wait_s("a")] == [0, 0.5]
    clock.now += 3600
    assert [limit.wait_s("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_a_clock_that_stands_still_gives_nothing_away():
    limit = RateLimit(Clock(), burst=1, rate=50)
    assert [limit.wait_s("a") for _ in range(100)].count(0) == 1


def test_memory_is_bounded_and_the_quiet_are_forgotten_first():
    limit = RateLimit(Clock(), burst=1, rate=0.001, max_keys=10)
    for number in range(10):
        limit.wait_s(str(number))
    limit.wait_s("0")
    limit.wait_s("new")
    assert len(limit) == 10
    assert limit.wait_s("0") > 0
    assert limit.wait_s("1") == 0


def test_too_many_requests_are_429_with_a_sentence_and_a_time(lab):
    clock = Clock()
    app = create_api(Context(lab.state, requests=RateLimit(clock, burst=3, rate=0.5)))
    client = TestClient(app)
    person = Person(client, lab.participant().token)
    trial = person.trials()["trials"][0]
    assert [person.answer(trial).status_code for _ in range(3)] == [200, 200, 429]
    refused = person.post("/api/withdraw", {})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
    assert refused.json()["error"] == "too_many"
    assert len(refused.json()["message"]) > 20
    other = Person(client, lab.participant().token)
    assert other.trials()["state"] == "admitted"
    assert client.get("/api/health").status_code == 200
    clock.now += 2
    assert person.trials()["position"] == 1


# --- consents, which anybody may send -------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.8", False),
        ("testclient", "", False),
    ],
)
def test_who_has_many_addresses_is_one_sender(one, other, same):
    assert (network_of(one) == network_of(other)) == same


def test_an_address_gives_so_many_consents_and_then_waits(lab):
    clock = Clock()
    context = Context(lab.state, consents=consent_limit(3, 2, clock))

    def hall(address):
        return replace(lab, client=TestClient(create_api(context), client=(address, 1)))

    here, elsewhere = hall("203.0.113.7"), hall("203.0.113.8")
    assert [here.consent().status_code for _ in range(3)] == [201] * 3
    refused = here.consent()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["error"] == "too_many"
    assert elsewhere.consent().status_code == 201
    # What is no consent costs as much as one: it was read.
    assert here.client.post("/api/consent", json={}).status_code == 429
    clock.now += 0.5
    assert [here.consent().status_code for _ in range(2)] == [201, 429]


def test_free_consents_do_not_close_a_study(lab):
    """Ten that never come back, against a quota of ten; then ten people who do."""
    lab.change(quota={"participants": 10, "per_arm": None})
    assert [lab.consent().status_code for _ in range(10)] == [201] * 10
    people = [lab.participant(admitted=False) for _ in range(10)]
    assert [p.post("/api/admit", {}).status_code for p in people[:9]] == [200] * 9
    # The last place is kept for who consented first, as long as they may be on their way.
    refused = people[9].post("/api/admit", {})
    assert (refused.status_code, refused.json()["error"]) == (409, "full")
    assert "ending" not in refused.json()  # nobody sent them

    def minutes_pass(s):
        s.query(Participant).filter_by(status="consented").update(
            {"last_seen_at": datetime.now(UTC) - timedelta(minutes=11)}
        )

    lab.database.write(minutes_pass)
    assert people[9].post("/api/admit", {}).status_code == 200
    assert (lab.consent().status_code, lab.consent().json()["error"]) == (409, "full")


def test_who_gets_no_place_after_consenting_is_shown_the_way_back(lab):
    lab.change(
        quota={"participants": 1, "per_arm": None},
        provider={"name": "prolific", "complete": "C1", "no_consent": "C3NO"},
    )

    def come(number):
        identity = {"name": "prolific", "id": f"{number:024x}", "session": "b" * 24}
        return lab.participant(admitted=False, provider=identity, language="de")

    first, second = come(1), come(2)
    assert first.post("/api/admit", {}).status_code == 200
    refused = second.post("/api/admit", {})
    assert (refused.status_code, refused.json()["error"]) == (409, "full")
    ending = refused.json()["ending"]
    assert ending["code"] == "C3NO"
    assert ending["redirect"].endswith("cc=C3NO")
    assert "Im Moment ist kein Platz frei" in ending["html"]
    assert second.trials()["state"] == "consented"  # and may ask again

"""How often one participant may ask."""

from lab import Person
from starlette.testclient import TestClient

from study_app.api import Context, create_api
from study_app.api.limits import RateLimit


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

"""Shipped studies in their other languages, and the ways that end before the debrief."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from live_server import LiveServer
from playwright.sync_api import BrowserContext
from walks import Visit, fitting, serve, shipped

from study_app.participation.texts import consent_sha256
from study_app.study import Quota, Study, wording

STUDIES = shipped()
SPOKEN = [(name, tag) for name, study in STUDIES.items() for tag in study.translations]
STRICT = "hive2022-distinction"  # screening, and a check with two attempts
ALONE = STUDIES["demo"].model_copy(update={"name": "alone", "quota": Quota(participants=1)})

Visiting = Callable[..., Visit]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    names = {STRICT, *(name for name, _ in SPOKEN)}
    studies = [STUDIES[name] for name in sorted(names)]
    made = serve(tmp_path_factory.mktemp("live"), [*studies, ALONE])
    yield made
    made.stop()
    assert "Traceback" not in made.output, made.output


@pytest.fixture
def visit(server: LiveServer, new_context: Callable[..., BrowserContext]) -> Visiting:
    def make(study: Study, **options: Any) -> Visit:
        made = Visit(server, new_context, study, **options)
        made.assert_well_shown()
        return made

    return make


@pytest.mark.parametrize(("name", "language"), SPOKEN)
def test_a_translation_is_seen_from_consent_to_debrief(
    name: str, language: str, visit: Visiting
) -> None:
    visit(STUDIES[name], language=language).assert_complete()


def test_somebody_who_is_too_young(visit: Visiting) -> None:
    study = STUDIES[STRICT]
    way = visit(study, fill=lambda form, name: 17)
    assert way.screens == ["consent", "screening", "ended"]
    way.assert_read("ended", "screened_out")
    person = way.participant()
    assert person is not None
    assert person.status == "screened_out"


def test_somebody_who_does_not_pass_the_check(visit: Visiting) -> None:
    study = STUDIES[STRICT]
    fits = fitting(study)
    way = visit(study, fill=lambda form, name: "nothing" if name == "colours" else fits(form, name))
    stops = [stop.form or stop.screen for stop in way.stops]
    attempts = ["instructions", "comprehension"] * 2
    assert stops == ["consent", "screening", *attempts, "ended"]
    again = [way.ui["comprehension_again"] in stop.text for stop in way.stops]
    assert [number for number, said in enumerate(again) if said] == [4]
    way.assert_before_the_trials()
    way.assert_read("ended", "failed_check")
    person = way.participant()
    assert person is not None
    assert person.status == "failed_check"


def test_somebody_who_does_not_agree_and_somebody_who_comes_too_late(
    server: LiveServer, visit: Visiting
) -> None:
    way = visit(ALONE, consents=False)
    assert way.screens == ["consent", "declined"]
    way.assert_read("consent", "consent")
    way.assert_said("declined")
    assert way.participant() is None

    words = wording(ALONE, "en")
    first = {
        "study": ALONE.name,
        "consent_sha256": consent_sha256(words),
        "language": "en",
        "provider": {"name": "direct", "id": None, "session": None},
        "nonce": "0" * 32,
    }
    token = httpx2.post(f"{server.url}/api/consent", json=first).raise_for_status().json()["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    httpx2.post(f"{server.url}/api/admit", json={}, headers=bearer).raise_for_status()
    way = visit(ALONE)
    assert way.screens == ["refused"]  # the page knows before anybody reads the consent
    way.assert_seen("refused", [way.ui["full_title"], way.ui["full_text"]])

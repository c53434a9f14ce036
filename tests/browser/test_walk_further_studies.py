"""Every shipped study, walked through by touch on a phone: the other half."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from live_server import LiveServer
from playwright.sync_api import BrowserContext
from walks import Visit, serve, shipped

STUDIES = dict(list(shipped().items())[1::2])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    made = serve(tmp_path_factory.mktemp("live"), STUDIES.values())
    yield made
    made.stop()
    assert "Traceback" not in made.output, made.output


@pytest.mark.parametrize("name", STUDIES)
def test_all_that_a_study_says_is_seen_on_the_way_to_its_debrief(
    name: str, server: LiveServer, new_context: Callable[..., BrowserContext]
) -> None:
    visit = Visit(server, new_context, STUDIES[name])
    visit.assert_well_shown()
    visit.assert_complete()

"""The page of a study's results: whole, self-contained, readable, and honest about what it is."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from axe_rules import violations
from databases import on_sqlite
from some_findings import CONDITIONS, some_findings

from db import repository
from study_app.analysis.results_page import page
from study_app.analysis.stages import stage_view

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ARMS = {"text": "With words", "maps": "With maps"}


@pytest.fixture
def made(lab):
    """Makes the page of findings put together by hand, over the demo's own pictures."""
    lab.participant().finish()

    def make(**changes):
        with lab.database.read() as s:
            view = stage_view(s, repository.study(s, "demo"))
            main = view.ratings[view.ratings["trial_type"] == "main"]
            images = sorted(set(main.loc[main["condition"] == "clean", "source_image_id"]))
            found = some_findings(images=images, **changes)
            return page(found, view, s, store=lab.state.store, now=NOW)

    return make


@on_sqlite
def test_the_page_needs_nothing_beside_it_and_names_all_that_is_found(made):
    html = made()
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]+"', html)
    assert "<script" not in html
    assert "SIMULATED" not in html
    for words in [
        *(title for title in CONDITIONS.values()),
        "Share: called the target plausible",
        "48 % (36 to 60)",
        "One image: nothing is known of others.",
        "+17 points (6 to 28)",
        "2.10 (1.30 to 3.40), p .003",
        "Sensitivity d′",
        "Krippendorff’s α",
        "Strength of each: the better picture",
        "How often the row was chosen over the column",
        "Confusions: the class chosen",
        "Without catch_below (2 people alone)",
        "Reaction time: target_plausible",
        "Error consistency",
        "2 left (by quarter of the session: 1, 0, 0, 1)",
        "answers; of text there is no estimate",
        "Which digit fits this picture best?",
        "catch_below (share 0.75, per &#34;question&#34;)",
        "could be shown in every condition",
        "c0ffee" * 10,
    ]:
        assert words in html, words
    assert html.count("data:image/png;base64,") > 0
    for x in re.findall(r'\bc?x[12]?="([^"]*)"', html):
        assert 0 <= float(x) <= 340
    assert "nan" not in html.lower().replace("nanosecond", "")
    assert ">inf" not in html


@on_sqlite
def test_registered_and_exploratory_are_told_apart(made):
    html = made()
    assert len(re.findall(r'class="badge registered">registered', html)) == 1
    assert '<span class="badge exploratory">exploratory' in html
    assert "Everything else on this page is <em>exploratory</em>" in html
    html = made(registered=False)
    assert 'registered">registered' not in html
    assert "All that follows is <em>exploratory</em>" in html


@on_sqlite
def test_every_picture_of_simulated_data_says_so(made):
    html = made(stage="simulated", arms=ARMS)
    assert "<title>SIMULATED: " in html
    drawings = re.findall(r"<svg.*?</svg>", html, flags=re.S)
    assert len(drawings) > 8
    assert all(">SIMULATED</text>" in drawing for drawing in drawings)
    heats = re.findall(r"<caption>.*?</caption>", html)
    assert heats
    assert all("SIMULATED" in caption for caption in heats)


@on_sqlite
def test_the_page_is_read_on_every_screen(made, new_context, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(made(arms=ARMS))
    shown = new_context(viewport={"width": 360, "height": 640}).new_page()
    shown.goto(path.as_uri())
    for width in (360, 1440):
        shown.set_viewport_size({"width": width, "height": 640})
        assert shown.evaluate("document.documentElement.scrollWidth") == width
        assert violations(shown) == []
        # The arms of the flow stand side by side where there is room, else one below the other.
        left, right = (each.bounding_box() for each in shown.locator(".flow .arm").all())
        assert (left["y"] == right["y"]) == (width > 400)

"""Templates: what is filled in stays text, and what is missing is an error."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from study_app.gallery.tiles import Tile
from study_app.templates import part

HOSTILE = "\"'><script>alert(1)</script>"
ESCAPED = "&#34;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"


def test_a_value_is_text_wherever_it_stands():
    html = part("gallery/tiles.html", "tile", each=Tile(HOSTILE, HOSTILE, HOSTILE, 84, HOSTILE))
    assert "<script" not in html
    assert html.count(ESCAPED) == 4
    html = part("gallery/page.html", "ways", links=[(HOSTILE, HOSTILE)])
    assert f'<a href="{ESCAPED}">{ESCAPED}</a>' in html


def test_what_a_template_made_is_not_escaped_again():
    tile = Tile("a.png", "", "/map", 84, "a & b")
    cell = {"name": "No defense", "tiles": [tile], "answer": "3", "current": True}
    html = part("gallery/map_page.html", "strip", cells=[cell], lacking=["“Odd” is not shown"])
    assert "<figcaption>a &amp; b</figcaption>" in html


def test_a_value_that_is_missing_or_unknown_is_an_error():
    with pytest.raises(UndefinedError, match="sentence"):
        part("gallery/page.html", "nothing")
    with pytest.raises(TypeError, match="word"):
        part("gallery/page.html", "nothing", sentence="", word="")

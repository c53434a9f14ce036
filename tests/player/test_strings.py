"""Every sentence has its place, and every place its sentence."""

from __future__ import annotations

import re

import pytest

from study_app.participant import markdown_html
from study_app.player import UnknownLanguageError, ui_strings
from study_app.player.assets import player_html, player_script


def test_player_and_locale_name_the_same_strings() -> None:
    keys = set(ui_strings("en"))
    in_html = set(re.findall(r'data-(?:text|label)="(\w+)"', player_html()))
    quoted = set(re.findall(r'"(\w+)"', player_script()))
    assert in_html <= keys
    assert keys - in_html <= quoted


def test_unknown_language_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownLanguageError, match="unknown language 'tlh'; known: en"):
        ui_strings("tlh")


def test_markdown_never_passes_raw_html() -> None:
    assert markdown_html("**a** <script>x</script>") == (
        "<p><strong>a</strong> &lt;script&gt;x&lt;/script&gt;</p>\n"
    )

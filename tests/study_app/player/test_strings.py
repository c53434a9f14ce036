"""Every sentence has its place, and every place its sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import study_app.server
from study_app.player import UnknownLanguageError, ui_strings
from study_app.player.assets import player_html, player_loader, player_script
from study_app.player.strings import languages
from study_app.study import markdown_html

SERVER = Path(study_app.server.__file__).parent
"""Its documents say a few sentences before the player is there."""


def test_player_and_locale_name_the_same_strings() -> None:
    keys = set(ui_strings("en"))
    in_html = set(re.findall(r'data-(?:text|label)="(\w+)"', player_html()))
    quoted = set(re.findall(r'"(\w+)"', player_script().content.decode()))
    quoted |= set(re.findall(r"\bui\.(\w+)", player_loader()))
    for document in "light_page.py", "take_page.py", "documents.py":
        quoted |= set(re.findall(r'words\["(\w+)"\]', (SERVER / document).read_text()))
    assert in_html <= keys
    assert keys - in_html <= quoted


@pytest.mark.parametrize("language", languages())
def test_every_language_says_the_same(language: str) -> None:
    def braces(words: str) -> list[str]:
        return sorted(set(re.findall(r"\{(\w+)\}", words)))

    english, others = ui_strings("en"), ui_strings(language)
    assert others.keys() == english.keys()
    for key, words in others.items():
        assert braces(words) == braces(english[key]), key
        assert words == words.strip() != "", key


def test_unknown_language_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownLanguageError, match="unknown language 'tlh'; known: de, en, ja"):
        ui_strings("tlh")


def test_markdown_never_passes_raw_html() -> None:
    assert markdown_html("**a** <script>x</script>") == (
        "<p><strong>a</strong> &lt;script&gt;x&lt;/script&gt;</p>\n"
    )

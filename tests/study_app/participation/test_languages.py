"""Which language somebody reads, and in which direction it is written."""

from __future__ import annotations

import pytest

from study_app.participation.languages import accepted, direction, first_offered


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("de-CH", ["de-CH"]),
        ("fr;q=0.3, de, ja;q=0.8", ["de", "ja", "fr"]),
        ("en;q=0.8,de;q=0.8,ja;q=1.0", ["ja", "en", "de"]),
        ("de;q=0, *;q=0.1, ja ; Q=0.5", ["ja"]),
        ("de;q=x, ja;q=2, en;q=nan", []),
        ("", []),
        (",;q=1, ", []),
    ],
)
def test_languages_are_wanted_by_quality(header: str, tags: list[str]) -> None:
    assert accepted(header) == tags


def test_a_whole_tag_goes_before_its_main_language() -> None:
    assert first_offered(["pt", "pt-BR"], ["pt-br"]) == "pt-BR"
    assert first_offered(["pt", "en"], ["pt-BR", "en"]) == "pt"
    assert first_offered(["pt"], [None, "en"]) is None


@pytest.mark.parametrize(
    ("tag", "way"),
    [
        ("ar", "rtl"), ("fa-IR", "rtl"), ("HE", "rtl"), ("az-Arab", "rtl"), ("az-Arab-IR", "rtl"),
        ("en", "ltr"), ("ja", "ltr"), ("ku-Latn", "ltr"), ("ur-Latn-PK", "ltr"), ("ug-Cyrl", "ltr"),
    ],
)  # fmt: skip
def test_some_languages_are_written_from_right_to_left(tag: str, way: str) -> None:
    assert direction(tag) == way

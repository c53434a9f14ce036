"""The player's own sentences, one YAML file per language in ``locales/``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from engine.components import yaml_text

_LOCALES = Path(__file__).parent / "locales"


class UnknownLanguageError(ValueError):
    """There is no locale file for a language."""


def languages() -> list[str]:
    """The languages the player speaks, as BCP 47 tags, sorted."""
    return sorted(path.stem for path in _LOCALES.glob("*.yaml"))


@cache
def ui_strings(language: str) -> dict[str, str]:
    """The sentences of one language by key.

    Raises:
        UnknownLanguageError: no such locale; the message lists the known ones.
    """
    if language not in languages():
        known = ", ".join(languages())
        raise UnknownLanguageError(f"unknown language {language!r}; known: {known}")
    text = (_LOCALES / f"{language}.yaml").read_text(encoding="utf-8")
    return {str(key): str(words) for key, words in yaml_text.parse(text).items()}

"""What the player is given, at either door: Streamlit's page or the light one."""

from __future__ import annotations

from collections.abc import Mapping

from study_app.participation.languages import accepted, first_offered
from study_app.participation.refusals import doubled
from study_app.participation.texts import ParticipantTexts
from study_app.player import PlayerData, Words, ui_strings
from study_app.player.strings import languages as spoken

_FALLBACK_LANGUAGE = "en"


def player_data(
    texts: ParticipantTexts | None,
    query: Mapping[str, str] | None = None,
    languages: str | None = None,
) -> PlayerData:
    """What the player is given about a study, or about an unknown one (None).

    Args:
        texts: the study's.
        query: the address's parameters: `lang`, and who somebody is to the study's provider. Of a
            plain mapping it cannot be told whether the link named somebody twice.
        languages: those of the browser, as in `Accept-Language`.
    """
    query = query or {}
    if texts is None:
        texts = _no_study()
    language, words = chosen(texts, query, languages)
    identity = texts.provider.identity(query)
    refusal = doubled(texts.provider, query) or texts.refuses(identity)
    code = texts.provider.code("no_consent")
    return {
        "status": "unknown" if not texts.study else "open" if texts.open else "closed",
        "study": texts.study,
        "title": words["title"],
        "language": language,
        "languages": list(texts.wordings),
        "consent_html": words["consent_html"],
        "consent_sha256": words["consent_sha256"],
        "consent_version": texts.consent_version,
        "instructions_html": words["instructions_html"],
        "provider": {
            "name": texts.provider.name,
            "id": identity.id,
            "session": identity.session,
        },
        "no_consent": {
            "code": code,
            "redirect": texts.provider.redirect("no_consent", code, identity.id),
        },
        "refusal": refusal,
        "shared_device": texts.shared_device,
        "ui": words["ui"],
        "wordings": dict(texts.wordings),
    }


def chosen(
    texts: ParticipantTexts, query: Mapping[str, str], languages: str | None
) -> tuple[str, Words]:
    """Return the language in which the player begins, and the words in it; see `player_data`."""
    wanted = (query.get("lang"), *accepted(languages or ""))
    language = first_offered(texts.wordings, wanted) or next(iter(texts.wordings))
    return language, texts.wordings[language]


def _no_study() -> ParticipantTexts:
    """No study, in every language of the player."""
    others = (language for language in spoken() if language != _FALLBACK_LANGUAGE)
    wordings = {language: _nothing(language) for language in (_FALLBACK_LANGUAGE, *others)}
    return ParticipantTexts("", wordings, consent_version="", open=False)


def _nothing(language: str) -> Words:
    return {
        "title": "",
        "consent_html": "",
        "consent_sha256": "",
        "instructions_html": "",
        "ui": ui_strings(language),
    }

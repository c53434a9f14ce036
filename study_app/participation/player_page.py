"""The page a participant opens: ``?study=NAME``, with what their provider adds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import streamlit as st
from starlette.datastructures import QueryParams

from study_app.participation.refusals import doubled
from study_app.participation.texts import ParticipantTexts
from study_app.player import PlayerData, Words, mount_player, ui_strings

_FALLBACK_LANGUAGE = "en"


def participant_page(load: Callable[[str], ParticipantTexts | None]) -> None:
    """Mounts the player for the study named in the address.

    Opening the page creates nobody: the player itself asks the server once the participant has
    agreed. An unknown or closed study gets one calm sentence.

    Args:
        load: the texts of a study by name, or None if there is no such study.
    """
    given = st.query_params
    query = QueryParams([(name, value) for name in given for value in given.get_all(name)])
    name = query.get("study", "")
    mount_player(player_data(load(name) if name else None, query, st.context.locale))


def player_data(
    texts: ParticipantTexts | None,
    query: Mapping[str, str] | None = None,
    locale: str | None = None,
) -> PlayerData:
    """What the player is given about a study, or about an unknown one (None).

    Args:
        texts: the study's.
        query: the address's parameters: `lang`, and who somebody is to the study's provider. Of a
            plain mapping it cannot be told whether the link named somebody twice.
        locale: the browser's language.
    """
    query = query or {}
    if texts is None:
        texts = _no_study()
    wordings = dict(texts.wordings)
    language = _first(wordings, (query.get("lang"), locale)) or next(iter(wordings))
    words = wordings[language]
    identity = texts.provider.identity(query)
    refusal = doubled(texts.provider, query) or texts.refuses(identity)
    code = texts.provider.code("no_consent")
    return {
        "status": "unknown" if not texts.study else "open" if texts.open else "closed",
        "study": texts.study,
        "title": words["title"],
        "language": language,
        "languages": list(wordings),
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
        "wordings": wordings,
    }


def _first(offered: Iterable[str], wanted: Iterable[str | None]) -> str | None:
    """The first language wanted that is offered: the same tag, else the same main language."""
    for tag in wanted:
        for fits in (str.lower, _main):
            for language in offered:
                if tag and fits(language) == fits(tag):
                    return language
    return None


def _main(tag: str) -> str:
    return tag.partition("-")[0].lower()


def _no_study() -> ParticipantTexts:
    nothing: Words = {
        "title": "",
        "consent_html": "",
        "consent_sha256": "",
        "instructions_html": "",
        "ui": ui_strings(_FALLBACK_LANGUAGE),
    }
    return ParticipantTexts("", {_FALLBACK_LANGUAGE: nothing}, consent_version="", open=False)

"""Streamlit's page for a participant: ``/take?study=NAME``, with what their provider adds."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from starlette.datastructures import QueryParams

from study_app.participation.player_data import player_data
from study_app.participation.texts import ParticipantTexts
from study_app.player.component import mount_player


def participant_page(load: Callable[[str], ParticipantTexts | None]) -> None:
    """Mounts the player for the study named in the address.

    Opening the page creates nobody: the player itself asks the server once the participant has
    agreed. An unknown or closed study gets one calm sentence.

    Args:
        load: the texts of a study by name, or None if there is no such study.
    """
    given = st.query_params
    query = QueryParams([(name, value) for name in given for value in given.get_all(name)])
    # The handshake of the page's connection says the same as the request for the page itself.
    languages = st.context.headers.get("Accept-Language") or st.context.locale
    mount_player(player_data(load(query.get("study", "")), query, languages))

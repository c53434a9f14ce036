"""The Streamlit script of the test server."""

from typing import cast

import streamlit as st
from made_up_study import player_data

from study_app.player import PlayerData
from study_app.player.component import mount_player

mount_player(cast(PlayerData, player_data(st.query_params["study"])))

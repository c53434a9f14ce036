"""What a participant meets besides trials.

Modules: `player_page` (Streamlit's page), which brings Streamlit; `player_data` (what the player is
given at either door) with `load` and `texts` (a study's words) and `languages`; `addresses` (of the
two doors); `due_forms`, `endings`, `under_way` (who is still taking part).
"""

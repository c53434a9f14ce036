"""What a participant meets besides trials.

Modules: `player_page` (the page) with `load` and `texts` (its words), which bring Streamlit;
`due_forms`, `endings`, `under_way` (who is still taking part).
"""

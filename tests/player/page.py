"""The Streamlit script of the test server."""

from made_up_study import load

from study_app.participant import participant_page

participant_page(load)

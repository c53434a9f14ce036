"""The researchers' page: login, who is taking part, what people say, the export."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

from db import export, repository
from db.errors import ExportError
from db.repository import StudyVersionInfo, VersionCounts
from engine.analysis import human_table
from study_app import exclusions
from study_app.analysis.tables import MEASURES, excluded_by, exclusions_line, long_frame, percent
from study_app.installation import app_state
from study_app.researcher import login
from study_app.researcher.login_form import login_form, logout_button

_SHOWN = ("fooled", "plausible")


def researcher_page() -> None:
    """Show the login, or to those logged in their studies."""
    token = st.context.cookies.get(login.COOKIE)
    with app_state().database.read() as s:
        researcher = token and login.find(s, token)
        if not researcher:
            login_form()
            return
        names = repository.study_names(s)
        title, out = st.columns([5, 1], vertical_alignment="center")
        title.title("Studies")
        with out:
            logout_button()
        if not names:
            st.info("No study is published yet. `plausibly study launch demo` publishes one.")
            return
        name = names[0] if len(names) == 1 else st.selectbox("Study", names)
        version = repository.study(s, name)
        assert version is not None
        counts = repository.counts(s, name)
        try:
            ratings = export.ratings(s, name, judge=exclusions.judge, stage=version.stage)
        except ExportError as error:
            st.error(str(error))
            return
        stale = [made for made in repository.exports(s, name) if made.stale]
    _overview(version, counts)
    _answers(version, ratings)
    _download(version, ratings, len(stale))


def _overview(version: StudyVersionInfo, counts: list[VersionCounts]) -> None:
    st.subheader(version.config["title"])
    st.caption(
        f"{version.name} · {version.status} · version {version.version} · {version.stage} · "
        f"content {version.content_sha256[:12]}"
    )
    started, admitted, completed, withdrew = (
        sum(getattr(row, what) for row in counts)
        for what in ("started", "admitted", "completed", "withdrawn")
    )
    columns = st.columns(4)
    columns[0].metric("Started", started, help="Gave consent.")
    columns[1].metric("Admitted", admitted, help="Got a list and a plan.")
    columns[2].metric("Finished", completed, help="Answered every question.")
    columns[3].metric("Withdrew", withdrew, help="Their answers were deleted.")


def _answers(version: StudyVersionInfo, ratings: pd.DataFrame) -> None:
    rows = human_table.human_table(ratings)
    main = ratings[ratings["trial_type"] == "main"]
    if rows:
        _human_table(version, rows)
    elif len(main) and main["excluded"].all():
        st.info("All answers so far are left out by the study's exclusion rules.")
    else:
        st.info("No answers yet. They appear here as soon as somebody has judged a picture.")
    catch = human_table.attention(ratings)
    if catch.label.ratings or catch.plausible.ratings:
        st.markdown(
            f"Catch presentations answered as expected (all people): label "
            f"**{percent(catch.label)}**, plausibility **{percent(catch.plausible)}**."
        )
    line = exclusions_line(excluded_by(version.config, ratings))
    if len(ratings) and line:
        st.markdown(line)


def _human_table(version: StudyVersionInfo, rows: list[human_table.ConditionResult]) -> None:
    conditions = {c["label"]: c["title"] for c in version.config["conditions"]}
    frame = long_frame(rows, conditions)
    titles = list(dict.fromkeys(frame["condition"]))  # in the study's order
    left, right = st.columns(2)
    for place, name, question in zip(
        (left, right),
        _SHOWN,
        ("People chose the target themselves", "People call the target plausible"),
        strict=True,
    ):
        with place:
            st.markdown(f"**{question}**  \n{MEASURES[name]}")
            st.altair_chart(
                _plot(frame[frame["measure"] == MEASURES[name]], titles), width="stretch"
            )
    st.caption(
        "Dots are shares; bars are 95 % intervals from a two-way bootstrap over participants and "
        "source images, never narrower than Wilson's. In the clean and noise conditions the "
        "target is the label that the attack on the same picture aims at."
    )
    with st.expander("The numbers"):
        table = frame.assign(
            **{column: (frame[column] * 100).round(1) for column in ("share", "low", "high")}
        )
        st.dataframe(table, hide_index=True, width="stretch")


def _plot(frame: pd.DataFrame, titles: list[str]) -> alt.LayerChart | alt.FacetChart:
    base = alt.Chart(frame).encode(
        y=alt.Y("condition:N", sort=titles, title=None, axis=alt.Axis(labelLimit=220)),
        tooltip=[
            "condition",
            alt.Tooltip("share", format=".1%"),
            alt.Tooltip("low", format=".1%"),
            alt.Tooltip("high", format=".1%"),
            "people",
            "images",
            "ratings",
        ],
    )
    share = alt.Scale(domain=[0, 1])
    bars = base.mark_rule(strokeWidth=3, opacity=0.45).encode(
        x=alt.X("low:Q", scale=share, title=None, axis=alt.Axis(format="%")), x2="high:Q"
    )
    dots = base.mark_point(filled=True, size=90, opacity=1).encode(x=alt.X("share:Q", scale=share))
    return alt.layer(bars, dots).properties(height=36 * len(titles) + 40)


def _download(version: StudyVersionInfo, ratings: pd.DataFrame, stale: int) -> None:
    st.subheader("Export")
    st.markdown(
        f"{len(ratings)} rated trials, one row each, with passports, codebook and checksums."
    )
    # A plain link: the browser sends the login cookie, and the file never passes Streamlit.
    st.link_button(
        "Download CSV (zip)", f"/api/export/{version.name}.zip", icon=":material/download:"
    )
    if stale:
        st.warning(
            f"Somebody withdrew after {stale} earlier export{'s' if stale > 1 else ''}: "
            "please use a new one."
        )

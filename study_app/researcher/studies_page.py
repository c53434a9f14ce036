"""The researchers' page: login, who is taking part, what people say, the export."""

from __future__ import annotations

from datetime import UTC, datetime

import altair as alt
import pandas as pd
import streamlit as st

from db import export, repository
from db.errors import ExportError
from db.repository import Embargo
from engine.analysis import human_table
from engine.analysis.basis import other_stages, sentences
from study_app.analysis.stages import StageView, stage_view
from study_app.analysis.tables import (
    MEASURES,
    catch_line,
    condition_titles,
    excluded_by,
    exclusions_line,
    long_frame,
)
from study_app.design import sizes
from study_app.installation import app_state
from study_app.markdown import literal
from study_app.participation.under_way import closed_sentences, people_sentence
from study_app.researcher import login
from study_app.researcher.chosen import choose
from study_app.researcher.login_form import login_form, logout_button
from study_app.study import Study, UnreadableStudyError, study_of

_SHOWN = ("fooled", "plausible")
NEWEST = "newest"
"""The choice of the newest version, with all that mean the same."""


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
        name = choose("Study", "study", names, names[0], forget=("stage", "version"))
        newest = repository.study(s, name)
        assert newest is not None
        begun = [row for row in repository.counts(s, name) if row.started]
        usual = export.default_stage(export.stage_counts(s, name), newest.stage)
        stage = choose("Stage", "stage", [row.stage for row in begun], usual, forget=("version",))
        numbers = [str(row.version) for row in begun if row.stage == stage]
        version = choose(
            "Version", "version", [NEWEST, *numbers] if len(numbers) > 1 else (), NEWEST
        )
        chosen = () if version == NEWEST else (int(version),)
        try:
            view = stage_view(s, newest, stage, chosen)
            study = study_of(view.version)
        except (ExportError, UnreadableStudyError) as error:
            st.error(literal(str(error)))
            return
        stale = [made for made in repository.exports(s, name) if made.stale]
        held = repository.embargo(s, newest.study_id, now=datetime.now(UTC))
    _overview(view, study, held)
    _answers(view, study)
    _download(view, len(stale))


def _overview(view: StageView, study: Study, held: Embargo) -> None:
    version = view.version
    st.subheader(literal(study.title))
    st.caption(
        f"{version.name} · {version.status} · {view.numbers()} · {view.stage} · "
        f"content {version.content_sha256[:12]}"
    )
    started, admitted, completed, withdrew = (
        sum(getattr(row, what) for row in view.counts)
        for what in ("started", "admitted", "completed", "withdrawn")
    )
    columns = st.columns(4)
    columns[0].metric("Started", started, help="Gave consent.")
    columns[1].metric("Admitted", admitted, help="Got a list and a plan.")
    columns[2].metric("Finished", completed, help="Answered every question.")
    columns[3].metric("Withdrew", withdrew, help="Their answers were deleted.")
    for sentence in view.sentences():
        st.caption(sentence)
    closed = version.status == "closed"
    now = people_sentence(held)
    st.caption(f"{now} {closed_sentences(held)}" if closed else now)


def _answers(view: StageView, study: Study) -> None:
    ratings = view.ratings
    rows = human_table.human_table(ratings)
    said = sentences(view.basis())
    if rows:
        _human_table(study, rows)
        with st.expander(f"What version {view.version.version} shows"):
            shown = map(literal, sizes.lines(view.shown, condition_titles(study)))
            st.markdown("Medians with quartiles.\n\n" + "\n".join(f"- {line}" for line in shown))
        for sentence in said:
            st.caption(literal(sentence))
    else:
        st.info("  \n".join(map(literal, said)))
    for words in other_stages(view.stage, view.ratings_by_stage).values():
        st.caption(f"{words}, which are not counted here.")
    for line in (
        catch_line(human_table.attention(ratings)),
        exclusions_line(excluded_by(study, ratings)) if len(ratings) else "",
    ):
        if line:
            st.markdown(literal(line))


def _human_table(study: Study, rows: list[human_table.ConditionResult]) -> None:
    frame = long_frame(rows, condition_titles(study))
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


def _download(view: StageView, stale: int) -> None:
    st.subheader("Export")
    count = view.ratings_by_stage.get(view.stage, 0)
    versions = " in all its versions" if len(view.answered) > 1 else ""
    st.markdown(
        f"{count} rated trial{'s' * (count != 1)} of the stage {view.stage}{versions}, one row "
        "each, with passports, codebook and checksums."
    )
    # A plain link: the browser sends the login cookie, and the file never passes Streamlit.
    st.link_button(
        f"Download CSV of the stage {view.stage} (zip)",
        f"/api/export/{view.version.name}.zip?stage={view.stage}",
        icon=":material/download:",
    )
    if stale:
        st.warning(
            f"Somebody withdrew after {stale} earlier export{'s' if stale > 1 else ''}: "
            "please use a new one."
        )

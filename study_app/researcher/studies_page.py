"""The researchers' page: login, who is taking part, what people say, the export."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from db import export, repository
from db.errors import ExportError
from db.repository import Embargo
from engine.analysis.basis import other_stages
from study_app.analysis.findings import Findings, findings, leading
from study_app.analysis.stages import StageView, stage_view
from study_app.analysis.tables import catch_line, exclusions_line
from study_app.design import sizes
from study_app.installation import app_state
from study_app.markdown import literal
from study_app.participation.under_way import closed_sentences, people_sentence
from study_app.researcher import login
from study_app.researcher.chosen import choose
from study_app.researcher.login_form import login_form, logout_button
from study_app.researcher.outcome_block import outcome_block
from study_app.study import Study, UnreadableStudyError, study_of

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
    with st.spinner("Analysing the answers …"), app_state().database.read() as s:
        found = findings(view, s)
    _answers(view, found)
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
    closed = version.status == "closed"
    now = people_sentence(held)
    st.caption(f"{now} {closed_sentences(held)}" if closed else now)


def _answers(view: StageView, found: Findings) -> None:
    told = leading(found)
    if told:
        st.caption(literal(found.registration.said))
        for each in told:
            outcome_block(found, each)
        _whole_page(view)
        with st.expander(f"What version {view.version.version} shows"):
            shown = map(literal, sizes.lines(view.shown, found.conditions))
            st.markdown("Medians with quartiles.\n\n" + "\n".join(f"- {line}" for line in shown))
        for sentence in found.said:
            st.caption(literal(sentence))
    else:
        st.info("  \n".join(map(literal, found.said)))
    for words in other_stages(view.stage, view.ratings_by_stage).values():
        st.caption(f"{words}, which are not counted here.")
    for line in (
        catch_line(found.attention),
        exclusions_line(found.exclusions) if found.basis.ratings else "",
    ):
        if line:
            st.markdown(literal(line))


def _whole_page(view: StageView) -> None:
    versions = "".join(f"&version={number}" for number in view.versions)
    st.link_button(
        "The whole analysis on one page",
        f"/api/analysis/{view.version.name}.html?stage={view.stage}{versions}",
        icon=":material/analytics:",
    )


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

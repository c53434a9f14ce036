"""What the researchers' page shows of one outcome: a plot, its numbers, comparisons."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

from engine.analysis.contrasts import Contrast
from study_app.analysis import formats
from study_app.analysis.figures import Names, in_order, limits
from study_app.analysis.findings import Findings, OutcomeFindings
from study_app.analysis.tables import strengths_frame
from study_app.markdown import literal

_SEEN = "#3d8bd9"
"""A blue that stands out on white and on black."""


def outcome_block(found: Findings, each: OutcomeFindings) -> None:
    """Show what is found of one outcome, and its comparisons."""
    simulated = "SIMULATED: " if found.stage == "simulated" else ""
    title = f"{simulated}{each.outcome.title}"
    st.markdown(f"**{literal(title[:1].upper() + title[1:])}**  \n{each.role}")
    frame = estimates_frame(found, each)
    if len(frame):
        st.altair_chart(_plot(found, each, frame), width="stretch")
    elif each.strengths:
        for one in each.strengths:
            if one.items:
                st.dataframe(strengths_frame(one), hide_index=True, width="stretch")
            if one.note:
                st.caption(literal(one.note))
    else:
        st.dataframe(_counts_frame(found, each), hide_index=True, width="stretch")
    names = Names(found)
    for sentence in limits(names, [cell for cell in each.estimates if cell.estimate]):
        st.caption(literal(sentence))
    made = [one for one in found.contrasts if one.spec.outcome.name == each.outcome.name]
    registered = [one for one in made if one.spec.registered]
    if registered or made:
        st.caption("Registered comparisons" if registered else "Exploratory comparisons")
        st.markdown(_contrasts_table(names, registered or made))
    if len(frame):
        with st.expander("The numbers"):
            st.dataframe(frame, hide_index=True, width="stretch")


def estimates_frame(found: Findings, each: OutcomeFindings) -> pd.DataFrame:
    """Return one row per condition and arm: the mean or share with its interval, in order."""
    names = Names(found)
    return pd.DataFrame(
        [
            {
                "condition": names.condition(cell.condition),
                "arm": names.arm(cell.arm),
                "value": cell.estimate.value,
                "low": None if cell.estimate.refused else cell.estimate.low,
                "high": None if cell.estimate.refused else cell.estimate.high,
                "people": cell.estimate.people,
                "images": cell.estimate.images,
                "ratings": cell.answered,
                "missing": cell.missing,
            }
            for cell in in_order(found, each.estimates)
            if cell.estimate is not None
        ]
    )


def _counts_frame(found: Findings, each: OutcomeFindings) -> pd.DataFrame:
    names = Names(found)
    rows = [
        {
            "condition": names.cell(cell.condition, cell.arm),
            "answered": cell.answered,
            **{str(value): count for value, count in cell.counts.items()},
        }
        for cell in in_order(found, each.estimates)
    ]
    return pd.DataFrame(rows)


def _contrasts_table(names: Names, made: list[Contrast]) -> str:
    """Return comparisons as a table in Markdown, whose cells wrap on a phone."""
    rows = [["comparison", "difference", "decided"], ["---"] * 3]
    for one in made:
        within = names.within(one.spec)
        compared = names.compared(one.spec, one.at) + (f" ({within})" if within else "")
        p = formats.p_value(one.p_corrected)
        decided = f"{one.decided}, p {p if p.startswith('<') else f'= {p}'}"
        told = [compared, formats.contrast(one), decided]
        rows.append([literal(each).replace("|", "\\|") for each in told])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _plot(
    found: Findings, each: OutcomeFindings, frame: pd.DataFrame
) -> alt.LayerChart | alt.FacetChart:
    share = formats.is_share(each.outcome)
    axis = alt.Axis(format="%") if share else alt.Axis()
    held = [v for v in (each.outcome.low, each.outcome.high) if v is not None]
    domain = [0, 1] if share else held
    scale = alt.Scale(domain=domain) if len(domain) == 2 else alt.Scale(zero=False)
    titles = list(dict.fromkeys(frame["condition"]))  # in the study's order
    number = ".1%" if share else ".3g"
    base = alt.Chart(frame).encode(
        y=alt.Y("condition:N", sort=titles, title=None, axis=alt.Axis(labelLimit=220)),
        tooltip=[
            "condition",
            *(alt.Tooltip(name, format=number) for name in ("value", "low", "high")),
            "people",
            "images",
            "ratings",
        ],
    )
    bars = base.mark_rule(strokeWidth=3, opacity=0.55, color=_SEEN).encode(
        x=alt.X("low:Q", scale=scale, title=None, axis=axis), x2="high:Q"
    )
    dots = base.mark_point(filled=True, size=90, opacity=1, color=_SEEN).encode(
        x=alt.X("value:Q", scale=scale)
    )
    several = Names(found).several_arms
    layers = alt.layer(bars, dots).properties(height=36 * len(titles) + 40)
    if found.stage == "simulated":
        layers = layers.properties(title="SIMULATED")
    return layers.facet(row=alt.Row("arm:N", title=None)) if several else layers

"""What is chosen on the page. The address keeps it: a reload or a link shows the same."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

FEW, SHORT = 3, 12
"""So many options of so many letters stand side by side; others are a list."""


def choose(
    label: str, name: str, options: Sequence[str], default: str, *, forget: Sequence[str] = ()
) -> str:
    """Return which option the address names, else the default; show a control if there are several.

    Args:
        label: what is chosen, for people.
        name: the parameter of the address.
        options: each once or more often; the default belongs to them in any case.
        default: what is shown without the parameter, or with an unknown value.
        forget: parameters that mean nothing once another option is chosen.
    """
    known = list(dict.fromkeys([*options, default]))
    asked = st.query_params.get(name)
    chosen = asked if asked in known else default
    if len(known) == 1:
        return chosen
    key = f"researcher_{name}"
    st.session_state[key] = chosen
    args = (name, key, tuple(forget))
    if len(known) <= FEW and all(len(option) <= SHORT for option in known):
        st.segmented_control(label, known, key=key, required=True, on_change=_change, args=args)
    else:
        st.selectbox(label, known, key=key, on_change=_change, args=args)
    return chosen


def _change(name: str, key: str, forget: Sequence[str]) -> None:
    for gone in forget:
        st.query_params.pop(gone, None)
    st.query_params[name] = st.session_state[key]

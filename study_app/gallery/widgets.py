"""The controls of both pages. The address is the only state: a control shows it and changes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import streamlit as st

_WIDTH = 230


def choose(
    label: str,
    name: str,
    options: Mapping[str, str],
    chosen: str,
    query: Mapping[str, str],
    *,
    label_visibility: Literal["visible", "collapsed"] = "visible",
    width: int = _WIDTH,
) -> None:
    """Show a list that changes the parameter `name` of the address.

    Args:
        label: what is chosen, for readers.
        name: the parameter; also part of the widget's key.
        options: titles by value.
        chosen: the value of now.
        query: the whole query of now; all but `name` stays, and the page.
        label_visibility: "collapsed" where the options say it.
        width: pixels.
    """
    key = _show(name, chosen)
    st.selectbox(
        label,
        list(options),
        format_func=lambda value: options.get(value, value),
        key=key,
        on_change=_change,
        args=(name, query),
        filter_mode=None,
        label_visibility=label_visibility,
        width=width,
    )


def switch(label: str, name: str, on: bool, query: Mapping[str, str], *, disabled: bool) -> None:
    """Show a switch that sets the parameter `name` of the address to 1 or 0."""
    key = _show(name, on)
    st.toggle(label, key=key, on_change=_change, args=(name, query), disabled=disabled)


def turn(pages: int, page: int, query: Mapping[str, str]) -> None:
    """Show the way to the pages before and after, and to any, in a horizontal container."""
    back, on = ({**query, "page": str(to)} for to in (page - 1, page + 1))
    go = st.query_params.from_dict
    st.button("Previous", disabled=page == 1, on_click=go, args=(back,))
    options = {str(each): f"Page {each} of {pages}" for each in range(1, pages + 1)}
    choose("Page", "page", options, str(page), query, label_visibility="collapsed", width=150)
    st.button("Next", disabled=page == pages, on_click=go, args=(on,))


def _show(name: str, value: str | bool) -> str:
    key = f"gallery_{name}"
    st.session_state[key] = value
    return key


def _change(name: str, query: Mapping[str, str]) -> None:
    value: Any = st.session_state[f"gallery_{name}"]
    # Another choice has other rows: begin at the first page.
    kept = query if name == "page" else {k: v for k, v in query.items() if k != "page"}
    text = str(int(value)) if isinstance(value, bool) else str(value)
    st.query_params.from_dict({**kept, name: text})

"""Text for Streamlit's elements that read Markdown: nothing in it is markup."""

from __future__ import annotations

import re

_MARKS = re.compile(
    r"""
    [\\`*\[\]<$~]                # emphasis, code, links, pictures, HTML, formulas
    | :(?=\S)                    # Streamlit's :red[...] and :smile:
    | &(?=[#\w])                 # a character by its name
    | (?<![^\W_])_ | _(?![^\W_])  # emphasis; within a word it is none
    | ^[#>+=-]                   # a heading, a quotation, a list
    | (?<=^\d)[.)] | (?<=^\d\d)[.)] | (?<=^\d\d\d)[.)]
    """,
    re.VERBOSE,
)
_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)(?=\w)", re.IGNORECASE)
"""Where Streamlit finds an address in what is text already; no escape keeps it from that."""
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def literal(text: str) -> str:
    """Return Markdown that is read as `text`, in one line: no part of it is markup or a link."""
    line = " ".join(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text).split())
    line = _ADDRESS.sub("\N{WORD JOINER}", line)
    return _MARKS.sub(r"\\\g<0>", line)

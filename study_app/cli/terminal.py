"""What reaches the terminal: text as text, whoever wrote it.

Titles and names come from files that people send. In them `[red]` is no markup, and what a
terminal would obey is not passed on.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def plain(text: str) -> str:
    """Return `text` with U+FFFD in place of control characters; tabs and line ends stay."""
    return _OBEYED.sub("\N{REPLACEMENT CHARACTER}", text)


class Terminal(Console):
    """Rich's console, for which a string is text: no markup, no emoji codes, no escapes.

    What is to be styled is passed as a `rich.text.Text`, or by `style`.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as text, in the title of a table and in its cells as well."""
        as_text = {"emoji": False, "markup": False, "highlight": False}
        return super().render_str(plain(text), **{**options, **as_text})


def print_table(table: Table) -> None:
    """Print a result to standard output; piped, it is as wide as it needs to be."""
    width = None if sys.stdout.isatty() else 130
    Terminal(width=width).print(table)

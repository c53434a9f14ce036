"""Texts that people write, as they are stored."""

from __future__ import annotations

import unicodedata


def plain(text: str) -> str:
    r"""Return `text` without space around it, its line ends as \n.

    Raises:
        ValueError: it has characters that are no text: a database may refuse them.
    """
    lines = text.strip().splitlines()
    if any(unicodedata.category(c) in ("Cc", "Cs") for line in lines for c in line if c != "\t"):
        raise ValueError("characters that cannot be stored")
    return "\n".join(lines)

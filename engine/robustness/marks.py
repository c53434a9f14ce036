"""The signs that a doubted model carries wherever its robustness is shown."""

from __future__ import annotations

from collections.abc import Iterable

MASKED = "gradients likely masked"
LEAKING = "label leaking"
ONE_STEP = "one step only"
STOCHASTIC = "stochastic"
MARKS = {MASKED: "†", LEAKING: "‡", ONE_STEP: "§", STOCHASTIC: "¶"}
"""The sign that a doubted model carries, by the reason."""


def signs(reasons: Iterable[str]) -> str:
    """Return the signs of the reasons to doubt a model, "" for none."""
    given = set(reasons)
    return "".join(sign for reason, sign in MARKS.items() if reason in given)


def marked(title: str, reasons: Iterable[str]) -> str:
    """Return a model's title with the signs of the reasons to doubt it."""
    return f"{title} {signs(reasons)}".rstrip()


def legend(reasons: Iterable[str]) -> str:
    """Return what the signs mean that these reasons have: "† gradients likely masked.", or ""."""
    given = set(reasons)
    return " ".join(f"{sign} {reason}." for reason, sign in MARKS.items() if reason in given)

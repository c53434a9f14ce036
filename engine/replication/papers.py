"""The papers whose claims are known, by the experiment that tests them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Protocol

from engine.replication.claims import Check

if TYPE_CHECKING:
    from engine.results import Results


class Paper(Protocol):
    """A module with a paper's claims.

    Attributes:
        SETTING: what the attacker of the claims may do and knows, in sentences.
    """

    SETTING: str

    def checks(self, runs: Sequence[Results], /) -> list[Check]:
        """Return the checks of every claim on every dataset, claim by claim."""

    def left_out(self, defenses: Collection[str], /) -> list[str]:
        """Return, in sentences, what cannot be judged with an experiment's models, by label."""

    def tables(self, runs: Sequence[Results], /) -> str:
        """Return the numbers behind the checks, as Markdown."""


def papers() -> dict[str, Paper]:
    """Return the papers by the name of their experiment."""
    from engine.replication import nar2019, ross2018

    return {"nar2019": nar2019, "ross2018": ross2018}

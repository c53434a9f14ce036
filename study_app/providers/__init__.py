"""Providers: where participants come from, and how they are sent back. One file per provider.

A provider reads who somebody is out of the query of the link that they opened, and gives the code
and the address that take them back for each way in which a participation can end. Its parameters
stand in the study file. What the link says is not proven: see docs/http.md on who could pretend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from engine.components import Component, Registry
from study_app.installation import tokens

Outcome = Literal["complete", "screened_out", "failed_check", "no_consent"]

MAX_ID = 200
"""Characters of an id or a session that a link may bring."""


@dataclass(frozen=True)
class Refusal:
    """Why somebody may not take part.

    Attributes:
        reason: for the player, which says what helps in the participant's language; one that it
            does not know gets its words for any refused link.
        message: the same in an English sentence, for who reads the API.
    """

    reason: str
    message: str


@dataclass(frozen=True)
class Identity:
    """Who somebody is to the provider.

    Attributes:
        id: the provider's id of the person; None where it gives none.
        session: its id of this participation; None where it gives none.
    """

    id: str | None = None
    session: str | None = None


class Provider(Component):
    """Where participants come from. As it is, nobody has an id and only completion has a code."""

    keeps_id: ClassVar[bool] = True
    """The id is needed to pay people: it is kept in the clear until it expires. Otherwise only its
    keyed hash is stored."""

    parameters: ClassVar[tuple[str, ...]] = ()
    """What `identity` reads of a link; one that has any of them twice is refused."""

    invites: ClassVar[bool] = False
    """The id is the code of an invitation, which lets in one person."""

    link_query: ClassVar[str] = ""
    """What the address to give to the provider ends in; the provider fills in who somebody is."""

    def identity(self, query: Mapping[str, str]) -> Identity:
        """Return who opened a link with this query; what is missing is None."""
        return Identity()

    def refusal(self, identity: Identity) -> Refusal | None:
        """Return why somebody with this identity may not take part, or None."""
        if identity == Identity():
            return None
        return Refusal("plain_link", "Please open this study by its plain link.")

    def code(self, outcome: Outcome) -> str | None:
        """Return the code for an outcome: the study's, or a fresh one for each participant."""
        return tokens.completion_code() if outcome == "complete" else None

    def redirect(self, outcome: Outcome, code: str | None, provider_id: str | None) -> str | None:
        """Return the address that takes somebody back, or None.

        Args:
            outcome: how the participation ended.
            code: what `code` gave them.
            provider_id: their id; None once it is expired.
        """
        return None


def cut(query: Mapping[str, str], name: str) -> str | None:
    """Return a parameter of a link without blanks around it, at most MAX_ID; None if empty."""
    return query.get(name, "").strip()[:MAX_ID] or None


registry: Registry[Provider] = Registry("provider", __name__)
register = registry.register


def create(name: str, **params: Any) -> Provider:
    """Return the provider `name` with `params`; see `Registry.create`."""
    return registry.create(name, **params)

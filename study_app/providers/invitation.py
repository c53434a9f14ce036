"""A list of codes, each of which lets one person in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from study_app.providers import Identity, Provider, Refusal, cut, register

PARAMETER = "invitation"
"""The parameter of the link: `?study=NAME&invitation=CODE`."""

_CODE = re.compile(r"[2-9A-HJ-NP-Z]{4}(-[2-9A-HJ-NP-Z]{4}){3}")


@register
class Invitation(Provider):
    """Codes are made by `plausibly study invite STUDY --count N`; only their hashes are stored.

    Whoever has a code can go on as its holder: it is a password, to be sent to one person. It stays
    used when its holder withdraws. Each participant gets a code of their own on completion.
    """

    keeps_id: ClassVar[bool] = False
    parameters: ClassVar[tuple[str, ...]] = (PARAMETER,)
    invites: ClassVar[bool] = True

    def identity(self, query: Mapping[str, str]) -> Identity:
        """Read the code, however its letters were written."""
        code = cut(query, PARAMETER)
        return Identity(code.upper() if code else None)

    def refusal(self, identity: Identity) -> Refusal | None:
        """Refuse what cannot be a code; whether it is one of the study's, the database knows."""
        if identity.id is None:
            return Refusal(
                "no_invitation",
                "This study is by invitation. Please use the link that you were sent.",
            )
        if not _CODE.fullmatch(identity.id):
            return Refusal(
                "invitation", "This invitation is not known. Please check the link you were sent."
            )
        return None

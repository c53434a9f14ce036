"""SONA: a university's participant pool, which grants credit when its address is opened.

The study's address on SONA, an "online external study"
(https://www.sona-systems.com/researcher/external-study-credit-granting/):

    https://HOST/p/NAME?survey_code=%SURVEY_CODE%

That is the light page; Streamlit's, /take?study=NAME, takes the same parameter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import quote

from pydantic import Field

from study_app.providers import Identity, Outcome, Provider, Refusal, cut, register

PARAMETERS = ("survey_code", "id")
"""Names under which the link may bring SONA's id of the person, the first that is there."""

_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


@register
class Sona(Provider):
    """Members of a participant pool; completion grants them credit, and nothing else does.

    Attributes:
        credit: the study's client-side completion URL on SONA with `{id}` in place of the code at
            its end, such as https://SCHOOL.sona-systems.com/webstudy_credit.aspx?experiment_id=123
            &credit_token=4e48f9&survey_code={id}.
    """

    link_query: ClassVar[str] = "survey_code=%SURVEY_CODE%"
    parameters: ClassVar[tuple[str, ...]] = PARAMETERS

    credit: str = Field(pattern=r"^https://[^\s{}]+\{id\}[^\s{}]*$")

    def identity(self, query: Mapping[str, str]) -> Identity:
        """Read SONA's id of the person."""
        return Identity(next((found for name in PARAMETERS if (found := cut(query, name))), None))

    def refusal(self, identity: Identity) -> Refusal | None:
        """Refuse anybody without an id, and %SURVEY_CODE% itself, which SONA did not fill in."""
        if not _ID.fullmatch(identity.id or ""):
            return Refusal(
                "no_sona_code",
                "Please open this study from SONA: the link must bring your SONA code.",
            )
        return None

    def redirect(self, outcome: Outcome, code: str | None, provider_id: str | None) -> str | None:
        """Return the address that grants the credit."""
        if outcome != "complete" or provider_id is None:
            return None
        return self.credit.replace("{id}", quote(provider_id, safe=""))

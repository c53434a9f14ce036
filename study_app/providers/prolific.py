"""Prolific: ids in the study's address, codes and a redirect out.

The study's address on Prolific, with "I'll use URL parameters"
(https://docs.prolific.com/api-reference/studies/the-study-object):

    https://HOST/p/NAME?PROLIFIC_PID={{%PROLIFIC_PID%}}
        &STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}

That is the light page; Streamlit's, /take?study=NAME, takes the same parameters.

Prolific's rules (https://researcher-help.prolific.com/en/article/fb63bb): a comprehension check
comes at the start, allows at least two attempts, and is no ground for rejection: who fails it is
asked to return the submission. Hence `failed_check` and `screened_out` have codes of their own;
the actions that Prolific takes on them must not be a rejection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from study_app.providers import Identity, Outcome, Provider, Refusal, cut, register

BACK = "https://app.prolific.com/submissions/complete?cc="

_ID = re.compile(r"[0-9a-f]{24}")

Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


@register
class Prolific(Provider):
    """People of Prolific; the codes are those of the study's completion paths there.

    Attributes:
        complete: code of those who did everything.
        screened_out, failed_check, no_consent: codes for these outcomes; without one there is no
            way back to Prolific, and the study's text must ask people to return their submission.
        study_id: the id of the study on Prolific; links of any other are refused. None takes any.
    """

    link_query: ClassVar[str] = (
        "PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}"
    )
    parameters: ClassVar[tuple[str, ...]] = ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID")

    complete: Code
    screened_out: Code | None = None
    failed_check: Code | None = None
    no_consent: Code | None = None
    study_id: Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")] | None = None

    def identity(self, query: Mapping[str, str]) -> Identity:
        """Read PROLIFIC_PID and SESSION_ID, the submission; the ids of another study are none."""
        if self.study_id is not None and cut(query, "STUDY_ID") != self.study_id:
            return Identity()
        return Identity(cut(query, "PROLIFIC_PID"), cut(query, "SESSION_ID"))

    def refusal(self, identity: Identity) -> Refusal | None:
        """Refuse anybody without the two ids of 24 hexadecimal digits, previews too."""
        if not all(_ID.fullmatch(part or "") for part in (identity.id, identity.session)):
            return Refusal(
                "no_prolific_id",
                "Please open this study from Prolific: the link must bring your Prolific ID.",
            )
        return None

    def code(self, outcome: Outcome) -> str | None:
        """Return the study's code for the outcome: the same for everybody."""
        codes: dict[Outcome, str | None] = {
            "complete": self.complete,
            "screened_out": self.screened_out,
            "failed_check": self.failed_check,
            "no_consent": self.no_consent,
        }
        return codes[outcome]

    def redirect(self, outcome: Outcome, code: str | None, provider_id: str | None) -> str | None:
        """Return the address that hands the code in."""
        return None if code is None else BACK + code

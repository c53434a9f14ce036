"""What participants send, checked before anything else is done with it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from db.measured import Display, Duration, Timing
from study_app.api.http import Body
from study_app.participation.due_forms import Form
from study_app.providers import MAX_ID

MAX_ANSWER = 20_000
"""Characters of an answer: a text, or every cell of a fine brush."""


class _Provider(Body):
    name: Annotated[str, Field(max_length=40)]
    id: Annotated[str, Field(max_length=MAX_ID)] | None = None
    session: Annotated[str, Field(max_length=MAX_ID)] | None = None


class ConsentBody(Body):
    """Agreement to a study's text."""

    study: Annotated[str, Field(max_length=40)]
    consent_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    language: Annotated[str, Field(max_length=10)]
    provider: _Provider
    nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class AnswerBody(Body):
    """An answer to a trial, with how it was timed and shown.

    A fact that does not fit is refused by its name, so that the answer can be sent without it.
    """

    facts: ClassVar[frozenset[str]] = frozenset({"rt_ms", "timing", "display"})

    event_id: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]
    trial_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    attempt: Annotated[int, Field(ge=1, le=1000)]
    answer: Annotated[str, Field(max_length=MAX_ANSWER)]
    rt_ms: Annotated[Duration, Field(allow_inf_nan=False)] | None
    timing: Timing
    display: Display


_Length = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
_Words = Annotated[str, Field(max_length=MAX_ANSWER)]
_FormAnswer = (
    Annotated[float, Field(allow_inf_nan=False)]
    | _Words
    | Annotated[list[_Words], Field(max_length=100)]
    | None
)


class _Device(Body):
    window_w: _Length
    window_h: _Length
    screen_w: _Length
    screen_h: _Length
    device_pixel_ratio: _Length
    touch: bool
    mouse: bool | None = None
    css_px_per_mm: _Length | None = None


class FormBody(Body):
    """The answers to a form; facts about the device come with screening."""

    form: Form
    attempt: Annotated[int, Field(ge=1, le=100)]
    answers: Annotated[dict[str, _FormAnswer], Field(max_length=100)]
    device: _Device | None = None

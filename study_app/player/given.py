"""What the player is given by the page that shows it."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class Provider(TypedDict):
    """Where the participant comes from.

    `id` and `session` are the provider's own of the person and of this participation, None where it
    gives none.
    """

    name: str
    id: str | None
    session: str | None


class WayBack(TypedDict):
    """The provider's code for somebody who does not take part, and the address to go back to."""

    code: str | None
    redirect: str | None


class Refusal(TypedDict):
    """Why somebody cannot take part, as the routes say it: see docs/http.md."""

    error: str
    reason: NotRequired[str]


class Words(TypedDict):
    """A study and the player in one language."""

    title: str
    consent_html: str
    consent_sha256: str
    instructions_html: str
    ui: dict[str, str]


class PlayerData(TypedDict):
    """Everything the player is given.

    It reaches the browser before consent: nothing about stimuli, answers or conditions belongs
    here. `title` to `ui` are in `language`, with which the page begins; `wordings` has them in
    every one of `languages`, in the order offered. `refusal` is what a consent would be answered.
    """

    status: Literal["open", "closed", "unknown"]
    study: str
    title: str
    language: str
    languages: list[str]
    consent_html: str
    consent_sha256: str
    consent_version: str
    instructions_html: str
    provider: Provider
    no_consent: WayBack
    refusal: Refusal | None
    shared_device: bool
    ui: dict[str, str]
    wordings: dict[str, Words]

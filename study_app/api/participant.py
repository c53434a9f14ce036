"""What the participants' routes share: who asks, and how often they may."""

from __future__ import annotations

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from db import repository
from db.repository import ParticipantInfo
from study_app.api.context import context
from study_app.api.http import (
    B,
    Handler,
    RefusedError,
    bearer,
    body,
    failure,
    read,
    route,
    wait_first,
)
from study_app.installation import tokens


def token_sha256(request: Request) -> str:
    """Return the hash of the request's token; of none when it has none, which nobody holds."""
    return tokens.sha256(bearer(request) or "")


def holder(s: Session, digest: str) -> ParticipantInfo:
    """Return the participant who holds the token of this hash.

    Raises:
        RefusedError: 401 when nobody does.
    """
    found = repository.participant_by_token(s, digest)
    if found is None:
        raise RefusedError(401, "unknown_token", "This link is not valid any more.")
    return found


def limited(handler: Handler) -> Handler:
    """Make a route of `handler` that a participant may ask so often and no oftener."""

    async def taken(request: Request) -> Response:
        wait = context(request).requests.wait_s(token_sha256(request))
        if wait:
            raise wait_first(wait)
        return await handler(request)

    return route(taken)


async def body_of_holder(request: Request, model: type[B]) -> B:
    """Return the request's JSON body as `model`.

    Raises:
        RefusedError: as `body` does; to somebody unknown, only 401.
    """
    try:
        return await body(request, model)
    except RefusedError:
        digest = token_sha256(request)
        await read(context(request).database, lambda s: holder(s, digest))
        raise


def over(status: int) -> Response:
    """Return the answer to somebody whose participation has ended with the study."""
    return failure(
        status, "over", "Your participation has ended; no further answers are taken. Thank you."
    )

"""What all routes have in common: errors as sentences, bodies checked, work off the event loop."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, TypeAlias, TypeVar

from anyio import to_thread
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy.orm import Session
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from db.errors import StorageError
from db.session import Database
from engine.errors import PlausiblyError
from study_app.study import UnreadableStudyError

MAX_BODY = 128 * 1024
"""Bytes; an answer with its timing is a few hundred, the longest text 80 000."""

UNAVAILABLE = "The study cannot be reached just now. Please try again."
DAMAGED = "This picture cannot be read just now. It is stored but damaged."
"""What an error of the engine means: only the gallery's routes read what the engine has made."""


MAX_NAMED = 20
"""Places of a request that a refusal names."""

More: TypeAlias = str | list[str] | None
_log = logging.getLogger(__name__)

T = TypeVar("T")
B = TypeVar("B", bound="Body")
Handler = Callable[[Request], Awaitable[Response]]


class Body(BaseModel):
    """A request's JSON object. Unknown keys are refused.

    Attributes:
        facts: fields without which, or without a part of which, the request still means the same.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    facts: ClassVar[frozenset[str]] = frozenset()


class RefusedError(Exception):
    """The request is answered with an error."""

    def __init__(self, status: int, code: str, message: str, **more: More) -> None:
        super().__init__(message)
        self.response = failure(status, code, message, **more)


def wait_first(seconds: float) -> RefusedError:
    """Return the error for somebody who asks too often."""
    refused = RefusedError(429, "too_many", "Too many requests at once; please wait a moment.")
    refused.response.headers["Retry-After"] = str(math.ceil(seconds))
    return refused


def failure(status: int, code: str, message: str, **more: More) -> JSONResponse:
    """Return an error: a code for programs, one calm sentence for people, and what more is known.

    The player says it in the participant's language: by the code and by `more`, not `message`.
    """
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return json_response({"error": code, "message": message, **more}, status, headers)


def json_response(
    value: Any, status: int = 200, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return JSON that nobody caches."""
    return JSONResponse(value, status, headers={"Cache-Control": "no-store", **(headers or {})})


def route(handler: Handler) -> Handler:
    """Turn what a handler raises into the errors that the routes promise."""

    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except RefusedError as refused:
            return refused.response
        except ClientDisconnect:
            return failure(400, "incomplete", "The request ended too early.")  # nobody hears it
        except StorageError as error:
            if error.status == 500:
                raise
            if error.status == 503:
                _log.error("%s", error)  # participants read that they should try again
            sentence = str(error) if error.public else UNAVAILABLE
            return failure(error.status, error.code, sentence, **error.more)
        except UnreadableStudyError as error:
            _log.error("%s", error)  # for who runs the server; participants can only wait
            return failure(503, "unavailable", UNAVAILABLE)
        except PlausiblyError as error:
            # The sentence names folders of this machine: it is for the log.
            _log.error("%s", error)
            return failure(503, "damaged", DAMAGED)

    return answered


async def body(request: Request, model: type[B]) -> B:
    """Return the request's JSON body as `model`.

    Raises:
        RefusedError: 413 for a body above `MAX_BODY`, 422 for anything that does not fit.
    """
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise RefusedError(422, "invalid", "The request must be JSON (content-type).")
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY:
            raise RefusedError(413, "too_large", f"A request holds at most {MAX_BODY} bytes.")
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise _unfit(error, model.facts) from None


def _unfit(error: ValidationError, facts: frozenset[str]) -> RefusedError:
    """Return the refusal of a body, which names at most `MAX_NAMED` places that do not fit.

    Where they are all facts, `facts` names them: the rest may be sent again without them.
    """
    found = [problem["loc"] for problem in error.errors(include_url=False, include_input=False)]
    places = [".".join(map(str, place)) or "body" for place in found[:MAX_NAMED]]
    message = f"The request does not fit: {', '.join(places)}."
    if all(place and place[0] in facts for place in found):
        return RefusedError(422, "invalid", message, facts=places)
    return RefusedError(422, "invalid", message)


def require_own_page(request: Request) -> None:
    """Refuse what a page of somebody else's sends with this browser's cookies.

    Browsers say where a request comes from. What they send without asking the server first cannot
    be JSON, so `body` refuses what a browser without this header would send.

    Raises:
        RefusedError: 403.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise RefusedError(403, "foreign_page", "This can only be asked from this server's pages.")


def bearer(request: Request) -> str | None:
    """Return the token of the `Authorization` header, if there is one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


async def write(database: Database, function: Callable[[Session], T]) -> T:
    """Run a write on the database's writer thread; return when it is durable."""
    return await asyncio.wrap_future(database.submit(function))


async def read(database: Database, function: Callable[[Session], T]) -> T:
    """Run a read in a thread."""

    def work() -> T:
        with database.read() as session:
            return function(session)

    return await to_thread.run_sync(work)


def integer(request: Request, name: str, default: int, low: int, high: int) -> int:
    """Return an integer query parameter, clipped to [low, high].

    Raises:
        RefusedError: 422 when it is not an integer.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        return max(low, min(high, int(text)))
    except ValueError:
        raise RefusedError(422, "invalid", f"{name} must be a whole number.") from None

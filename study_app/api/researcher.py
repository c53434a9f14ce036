"""Researchers' routes: login, logout and the export."""

from __future__ import annotations

import asyncio
import io
import math
import secrets
import tempfile
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

from anyio import to_thread
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from db import export, repository
from db.models.studies import STAGES
from db.repository import ResearcherInfo
from study_app import exclusions
from study_app.analysis import registration
from study_app.api.attempts import TooManyError, browser_name, new_browser
from study_app.api.context import context
from study_app.api.http import (
    Body,
    RefusedError,
    bearer,
    body,
    failure,
    json_response,
    read,
    require_own_page,
    route,
    write,
)
from study_app.installation import AppState, tokens
from study_app.outcomes.scoring import score
from study_app.researcher import login

BROWSER_COOKIE = "plausibly_browser"
"""Of a browser in which somebody has logged in: it tries passwords before strangers do."""
BROWSER_S = 180 * 24 * 3600


class _Login(Body):
    password: Annotated[str, Field(max_length=200)]


class _Logout(Body):
    pass


@route
async def log_in(request: Request) -> Response:
    """Check a password; remember the login and set its cookie."""
    require_own_page(request)
    given = await body(request, _Login)
    here = context(request)
    researcher = await _check(request, given.password)
    now = here.now()
    if researcher is None:
        if (unlisted := here.attempts.listed()) is not None:
            await write(here.database, _audited("nobody", "login refused", unlisted, now))
        return failure(401, "password", "That is not the password.")
    here.attempts.remember(_address(request))
    token = secrets.token_hex(32)
    audited = _audited(researcher.name, "login", here.attempts.taken_unlisted(), now)

    def remember(s: Session) -> None:
        repository.create_session(
            s,
            researcher_id=researcher.id,
            token_sha256=tokens.sha256(token),
            expires=now + login.LIFETIME,
            now=now,
        )
        audited(s)

    await write(here.database, remember)
    answer = json_response({"status": "ok"})
    secure = request.url.scheme == "https"
    answer.set_cookie(
        login.COOKIE,
        token,
        max_age=int(login.LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=secure,
    )
    answer.set_cookie(
        BROWSER_COOKIE,
        new_browser(here.state.key),
        max_age=BROWSER_S,
        path="/api/login",
        httponly=True,
        samesite="strict",
        secure=secure,
    )
    return answer


@route
async def log_out(request: Request) -> Response:
    """Forget the login of the request's cookie, if it is of one."""
    require_own_page(request)
    await body(request, _Logout)
    here = context(request)
    token = request.cookies.get(login.COOKIE)
    if token:

        def forget(s: Session) -> None:
            researcher = login.find(s, token)
            if researcher is not None:
                repository.delete_session(s, token_sha256=tokens.sha256(token))
                repository.audit(
                    s, actor=researcher.name, action="logout", detail={}, now=here.now()
                )

        await write(here.database, forget)
    answer = json_response({"status": "ok"})
    answer.delete_cookie(login.COOKIE, httponly=True, samesite="strict")
    return answer


@route
async def download(request: Request) -> Response:
    """Send the export of a study's stage as a zip."""
    actor = await require_researcher(request)
    state, now = context(request).state, context(request).now()
    study = request.path_params["study"]
    stage = request.query_params.get("stage")
    if stage is not None and stage not in STAGES:
        raise RefusedError(422, "invalid", f"stage must be one of: {', '.join(STAGES)}.")
    packed, stage = await to_thread.run_sync(lambda: _zip(state, study, stage, actor, now))
    name = f"{study}-{stage}-{now:%Y%m%dT%H%M%SZ}.zip"
    return Response(
        packed,
        media_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


async def require_researcher(request: Request) -> str:
    """Return who is logged in, by the cookie or by a bearer's token.

    Raises:
        RefusedError: 401 when nobody is.
    """
    token = request.cookies.get(login.COOKIE) or bearer(request) or ""
    found = await read(context(request).database, lambda s: login.find(s, token))
    if found is None:
        raise RefusedError(401, "login", "Please log in as a researcher first.")
    return found.name


async def _check(request: Request, password: str) -> ResearcherInfo | None:
    """Return whose password it is, or None; refuse with 429 after too many wrong ones."""
    here = context(request)

    def check() -> ResearcherInfo | None:
        with here.database.read() as s:
            return repository.check_password(s, name=login.NAME, password=password)

    browser = browser_name(here.state.key, request.cookies.get(BROWSER_COOKIE))
    try:
        async with here.attempts.turn(_address(request), browser) as attempt:
            attempt.counts = False  # one that could not be checked
            thread = here.attempts.thread
            found = await asyncio.get_running_loop().run_in_executor(thread, check)
            attempt.counts = found is None
            return found
    except TooManyError as error:
        minutes = math.ceil(error.wait_s / 60)
        refused = RefusedError(
            429, "too_many", f"Too many attempts; wait {minutes} minute{'s' * (minutes > 1)}."
        )
        refused.response.headers["Retry-After"] = str(int(error.wait_s) + 1)
        raise refused from None


def _audited(actor: str, action: str, unlisted: int, now: datetime) -> Callable[[Session], None]:
    """Return what puts a login into the audit log, with how many refusals it does not list."""
    detail = {"refusals not listed": unlisted} if unlisted else {}
    return lambda s: repository.audit(s, actor=actor, action=action, detail=detail, now=now)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _zip(
    state: AppState, study: str, stage: str | None, actor: str, now: datetime
) -> tuple[bytes, str]:
    """The export of a stage, by default the newest version's, as a zip; and which stage it is."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "export"  # a name from an address may be no file's
        made = export.write_csv(
            state.database,
            study,
            out,
            now,
            judge=exclusions.judge,
            score=score,
            stage=stage,
            beside=registration.exported(study),
            actor=actor,
        )
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(made.folder.iterdir()):
                archive.write(path, f"{study}/{path.name}")
        return buffer.getvalue(), made.stage

"""Researchers' routes: login, logout and the export."""

from __future__ import annotations

import asyncio
import io
import secrets
import tempfile
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Annotated

from anyio import to_thread
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from db import export, repository
from db.errors import ExportError
from db.models.studies import STAGES
from db.repository import ResearcherInfo
from study_app.api.context import Context, context
from study_app.api.http import (
    Body,
    RefusedError,
    bearer,
    body,
    failure,
    json_response,
    read,
    route,
    write,
)
from study_app.installation import AppState, tokens
from study_app.researcher import login


class _Login(Body):
    password: Annotated[str, Field(max_length=200)]


@route
async def log_in(request: Request) -> Response:
    """Check a password; remember the login and set its cookie."""
    given = await body(request, _Login)
    here = context(request)
    researcher = await _check(here, request.client.host if request.client else "", given.password)
    now = here.now()
    if researcher is None:
        await write(
            here.database,
            lambda s: repository.audit(
                s, actor="nobody", action="login refused", detail={}, now=now
            ),
        )
        return failure(401, "password", "That is not the password.")
    token = secrets.token_hex(32)

    def remember(s: Session) -> None:
        repository.create_session(
            s,
            researcher_id=researcher.id,
            token_sha256=tokens.sha256(token),
            expires=now + login.LIFETIME,
            now=now,
        )
        repository.audit(s, actor=researcher.name, action="login", detail={}, now=now)

    await write(here.database, remember)
    answer = json_response({"status": "ok"})
    answer.set_cookie(
        login.COOKIE,
        token,
        max_age=int(login.LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@route
async def log_out(request: Request) -> Response:
    """Forget the login of the request's cookie, if it is of one."""
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
    try:
        packed, stage = await to_thread.run_sync(lambda: _zip(state, study, stage, actor, now))
    except ExportError as error:
        return failure(503, "export", str(error))
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


async def _check(here: Context, address: str, password: str) -> ResearcherInfo | None:
    """Return whose password it is, or None; refuse with 429 after too many wrong ones.

    An attempt counts before it is checked, however many are on their way; unless it is found wrong,
    it is given back.
    """
    if wait := here.logins.wait_s(address):
        refused = RefusedError(429, "too_many", f"Too many attempts; wait {wait / 60:.0f} minutes.")
        refused.response.headers["Retry-After"] = str(int(wait) + 1)
        raise refused

    def check() -> ResearcherInfo | None:
        with here.database.read() as s:
            return repository.check_password(s, name=login.NAME, password=password)

    wrong = False
    try:
        found = await asyncio.get_running_loop().run_in_executor(here.passwords, check)
        wrong = found is None
    finally:
        if not wrong:
            here.logins.give_back(address)
    return found


def _zip(
    state: AppState, study: str, stage: str | None, actor: str, now: datetime
) -> tuple[bytes, str]:
    """The export of a stage, by default the newest version's, as a zip; and which stage it is."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / study
        made = export.write_csv(state.database, study, out, now, stage=stage, actor=actor)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(made.folder.iterdir()):
                archive.write(path, f"{study}/{path.name}")
        return buffer.getvalue(), made.stage

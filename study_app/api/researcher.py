"""Researchers' routes: login, logout and the export."""

from __future__ import annotations

import io
import secrets
import tempfile
import time
import zipfile
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from anyio import to_thread
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from db import export, repository
from db.models.studies import STAGES
from study_app import exclusions
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

MAX_ATTEMPTS = 10
ATTEMPT_WINDOW_S = 300.0


class _Login(Body):
    password: Annotated[str, Field(max_length=200)]


class AttemptLimit:
    """At most `MAX_ATTEMPTS` wrong passwords from one address in `ATTEMPT_WINDOW_S`."""

    def __init__(self) -> None:
        self._failed: dict[str, deque[float]] = {}

    def wait_s(self, address: str) -> float:
        """Return for how long no attempt from `address` is taken; 0 when one is."""
        failed = self._failed.get(address)
        if failed is None or len(failed) < MAX_ATTEMPTS:
            return 0.0
        return max(0.0, failed[0] + ATTEMPT_WINDOW_S - time.monotonic())

    def failed(self, address: str) -> None:
        """Count a wrong password."""
        now = time.monotonic()
        self._failed = {
            known: times
            for known, times in self._failed.items()
            if times[-1] > now - ATTEMPT_WINDOW_S
        }
        self._failed.setdefault(address, deque(maxlen=MAX_ATTEMPTS)).append(now)


def routes(state: AppState) -> list[BaseRoute]:
    """Return the researchers' routes over `state`."""
    database = state.database
    limit = AttemptLimit()

    async def require_researcher(request: Request) -> str:
        token = request.cookies.get(login.COOKIE) or bearer(request) or ""
        found = await read(database, lambda s: login.find(s, token))
        if found is None:
            raise RefusedError(401, "login", "Please log in as a researcher first.")
        return found.name

    @route
    async def log_in(request: Request) -> Response:
        given = await body(request, _Login)
        address = request.client.host if request.client else ""
        wait = limit.wait_s(address)
        if wait:
            refused = failure(429, "too_many", f"Too many attempts; wait {wait / 60:.0f} minutes.")
            refused.headers["Retry-After"] = str(int(wait) + 1)
            return refused
        researcher = await read(
            database,
            lambda s: repository.check_password(s, name=login.NAME, password=given.password),
        )
        now = datetime.now(UTC)
        if researcher is None:
            limit.failed(address)
            await write(
                database,
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

        await write(database, remember)
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
        token = request.cookies.get(login.COOKIE)
        if token:

            def forget(s: Session) -> None:
                researcher = login.find(s, token)
                if researcher is not None:
                    repository.delete_session(s, token_sha256=tokens.sha256(token))
                    now = datetime.now(UTC)
                    repository.audit(s, actor=researcher.name, action="logout", detail={}, now=now)

            await write(database, forget)
        answer = json_response({"status": "ok"})
        answer.delete_cookie(login.COOKIE, httponly=True, samesite="strict")
        return answer

    @route
    async def download(request: Request) -> Response:
        actor = await require_researcher(request)
        study = request.path_params["study"]
        stage = request.query_params.get("stage")
        if stage is not None and stage not in STAGES:
            raise RefusedError(422, "invalid", f"stage must be one of: {', '.join(STAGES)}.")
        now = datetime.now(UTC)
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

    return [
        Route("/api/login", log_in, methods=["POST"]),
        Route("/api/logout", log_out, methods=["POST"]),
        Route("/api/export/{study}.zip", download, methods=["GET"]),
    ]


def _zip(
    state: AppState, study: str, stage: str | None, actor: str, now: datetime
) -> tuple[bytes, str]:
    """The export of a stage, by default the newest version's, as a zip; and which stage it is."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / study
        made = export.write_csv(
            state.database, study, out, now, judge=exclusions.judge, stage=stage, actor=actor
        )
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(made.folder.iterdir()):
                archive.write(path, f"{study}/{path.name}")
        return buffer.getvalue(), made.stage

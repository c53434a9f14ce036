"""The researchers' route of a study's results as one page."""

from __future__ import annotations

from datetime import datetime

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from db import repository
from db.models.studies import STAGES
from engine.errors import UsageError
from study_app.analysis.findings import findings
from study_app.analysis.results_page import page
from study_app.analysis.stages import stage_view
from study_app.api.context import context
from study_app.api.http import RefusedError, route
from study_app.api.researcher import require_researcher
from study_app.installation import AppState


@route
async def show(request: Request) -> Response:
    """Send the page of a study's stage; `version` may be given several times."""
    await require_researcher(request)
    here = context(request)
    study, query = request.path_params["study"], request.query_params
    stage, now = query.get("stage"), here.now()
    if stage is not None and stage not in STAGES:
        raise RefusedError(422, "invalid", f"stage must be one of: {', '.join(STAGES)}.")
    numbers = query.getlist("version")
    if not all(number.isascii() and number.isdigit() and len(number) < 9 for number in numbers):
        raise RefusedError(422, "invalid", "version must be a whole number.")
    versions = [int(number) for number in numbers]
    made = await to_thread.run_sync(lambda: _page(here.state, study, stage, versions, now))
    headers = {"Cache-Control": "no-store"}
    return Response(made, media_type="text/html; charset=utf-8", headers=headers)


def _page(state: AppState, name: str, stage: str | None, versions: list[int], now: datetime) -> str:
    with state.database.read() as s:
        newest = repository.study(s, name)
        if newest is None:
            raise RefusedError(404, "not_found", f"There is no study {name!r}.")
        try:
            view = stage_view(s, newest, stage, versions)
        except UsageError as error:
            raise RefusedError(
                422, "invalid", f"{str(error)[:1].upper()}{str(error)[1:]}."
            ) from None
        return page(findings(view, s), view, s, store=state.store, now=now)

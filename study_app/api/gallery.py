"""The gallery's pictures, maps and facts, each at an address of its own.

Source images of a study that is live, or that somebody may still be taking part in, are absent:
their addresses answer as if there were nothing, and that is asked anew at every request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from db import repository
from engine import rendering
from study_app.api.http import Handler, RefusedError, failure, read, route
from study_app.gallery.addresses import Place, image_index
from study_app.gallery.catalog import catalog
from study_app.gallery.exhibit import SCALE_MODES, Exhibit, NotShownError, ScaleMode
from study_app.gallery.facts import map_facts, picture_facts
from study_app.installation import AppState

Draw = Callable[[Exhibit, Place, Request], Response]
"""Makes the answer about the picture at a place, once that may be shown."""


def routes(state: AppState) -> list[BaseRoute]:
    """Return the gallery's routes over `state`."""
    exhibits = catalog(state.store.root)

    def answer(draw: Draw) -> Handler:
        @route
        async def handler(request: Request) -> Response:
            def look(s: Session) -> Response:
                given = request.path_params
                index = image_index(given["index"])
                place = Place(given["key"], given["defense"], given["image"], index)
                exhibit = exhibits.exhibit(place.key)
                exhibit.require(
                    repository.embargoed_image_ids(s, now=datetime.now(UTC)),
                    defense=place.defense,
                    image=place.image,
                    index=place.index,
                    method=given.get("method"),
                )
                return draw(exhibit, place, request)

            try:
                return _fresh(request, await read(state.database, look))
            except NotShownError:
                return failure(404, "not_found", "There is no such picture in the gallery.")

        return handler

    picture = "/g/{key}/{defense}/{image}/{index}"
    return [
        Route(f"{picture}.png", answer(_picture)),
        Route(f"{picture}.json", answer(_picture_facts)),
        Route(f"{picture}/{{method}}.png", answer(_map)),
        Route(f"{picture}/{{method}}.json", answer(_map_facts)),
    ]


def _picture(exhibit: Exhibit, place: Place, request: Request) -> Response:
    return _png(rendering.png(exhibit.pixels(place.defense, place.image, place.index)))


def _map(exhibit: Exhibit, place: Place, request: Request) -> Response:
    where = (place.defense, place.image, place.index, request.path_params["method"])
    scale = exhibit.scale(_scale_mode(request), *where)
    return _png(rendering.png(rendering.draw_map(exhibit.attribution(*where), scale)))


def _picture_facts(exhibit: Exhibit, place: Place, request: Request) -> Response:
    return JSONResponse(picture_facts(exhibit, place))


def _map_facts(exhibit: Exhibit, place: Place, request: Request) -> Response:
    method = request.path_params["method"]
    return JSONResponse(map_facts(exhibit, place, method, _scale_mode(request)))


def _scale_mode(request: Request) -> ScaleMode:
    wanted = request.query_params.get("scale", next(iter(SCALE_MODES)))
    for mode in SCALE_MODES:
        if mode == wanted:
            return mode
    raise RefusedError(422, "invalid", f"scale must be one of: {', '.join(SCALE_MODES)}.")


def _png(data: bytes) -> Response:
    return Response(data, media_type="image/png")


def _fresh(request: Request, response: Response) -> Response:
    """Have the browser ask again before it shows a copy; spare it the bytes that it has."""
    tag = f'"{hashlib.sha256(bytes(response.body)).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    known = request.headers.get("if-none-match", "")
    if tag in (each.strip().removeprefix("W/") for each in known.split(",")):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response

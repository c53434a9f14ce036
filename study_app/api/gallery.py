"""The gallery's pictures, maps and facts, each at an address of its own.

Source images of a study that is live, or that somebody may still be taking part in, are absent:
their addresses answer as if there were nothing, and that is asked anew at every request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from db import repository
from engine import rendering
from study_app.api.context import Context, context
from study_app.api.http import Handler, RefusedError, failure, read, route
from study_app.gallery.addresses import Place, image_index
from study_app.gallery.catalog import catalog
from study_app.gallery.exhibit import SCALE_MODES, Exhibit, NotShownError, ScaleMode
from study_app.gallery.facts import map_facts, picture_facts

Draw = Callable[[Exhibit, Place, Request], Response]
"""Makes the answer about the picture at a place, once that may be shown."""


def shown(draw: Draw, *, drawn: bool = True) -> Handler:
    """Make a handler of `draw`, which is asked only about what may be shown at this moment.

    Without `drawn` also about a map that is not there for a reason.
    """

    @route
    async def handler(request: Request) -> Response:
        here = context(request)
        try:
            made = await read(here.database, lambda s: _look(s, here, draw, request, drawn=drawn))
        except NotShownError:
            return failure(404, "not_found", "There is no such picture in the gallery.")
        return _fresh(request, made)

    return handler


def _look(s: Session, here: Context, draw: Draw, request: Request, *, drawn: bool) -> Response:
    given = request.path_params
    index = image_index(given["index"])
    place = Place(given["key"], given["defense"], given["image"], index)
    exhibit = catalog(here.state.store.root).exhibit(place.key)
    exhibit.require(
        repository.embargoed_image_ids(s, now=here.now()),
        defense=place.defense,
        image=place.image,
        index=place.index,
        method=given.get("method"),
        drawn=drawn,
    )
    return draw(exhibit, place, request)


@shown
def picture(exhibit: Exhibit, place: Place, request: Request) -> Response:
    """Draw a picture, pixel by pixel as it is stored."""
    return _png(rendering.png(exhibit.pixels(place.defense, place.image, place.index)))


@shown
def attribution_map(exhibit: Exhibit, place: Place, request: Request) -> Response:
    """Draw a picture's map by one method, on the scale that is asked for."""
    where = (place.defense, place.image, place.index, request.path_params["method"])
    scale = exhibit.scale(_scale_mode(request), *where)
    return _png(rendering.png(rendering.draw_map(exhibit.attribution(*where), scale)))


@shown
def facts_of_picture(exhibit: Exhibit, place: Place, request: Request) -> Response:
    """Say what is known of a picture."""
    return JSONResponse(picture_facts(exhibit, place))


@partial(shown, drawn=False)
def facts_of_map(exhibit: Exhibit, place: Place, request: Request) -> Response:
    """Say what is known of a map, or why there is none."""
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

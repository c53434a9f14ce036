"""The player's script: one file, kept by browsers for as long as they like."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from study_app.api.http import failure
from study_app.player import player_script

_KEPT = "public, max-age=31536000, immutable"


async def script(request: Request) -> Response:
    """Send the player's script, if the address is that of this server's."""
    joined = player_script()
    if request.url.path != joined.address:
        return failure(404, "not_found", "There is nothing at this address.")
    headers = {"Cache-Control": _KEPT, "Vary": "Accept-Encoding"}
    content = joined.content
    if takes_gzip(request.headers.get("accept-encoding", "")):
        headers["Content-Encoding"] = "gzip"
        content = joined.compressed
    return Response(content, media_type="text/javascript", headers=headers)


def takes_gzip(accepted: str) -> bool:
    """Say whether a browser with this `Accept-Encoding` takes gzip."""
    for coding in accepted.split(","):
        name, _, quality = coding.partition(";")
        if name.strip().lower() == "gzip":
            return quality.replace(" ", "").lower() not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False

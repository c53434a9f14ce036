"""Which addresses Streamlit answers, and its files for the browser, which our server sends.

Streamlit itself sends them as they are, 2.5 MB before a page is seen, and says nothing of how long
they may be kept.
"""

from __future__ import annotations

import gzip
import mimetypes
import re
from functools import cache
from pathlib import Path
from threading import Lock

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from study_app.api import takes_gzip
from study_app.server.streamlit_document import STATIC

_NEEDED = ("/_stcore/health", "/_stcore/host-config")
_NEEDED_BELOW = ("/media/", "/_stcore/bidi-components/")
_COMPRESSIBLE = (".js", ".css", ".svg", ".json")
_NAMED_BY_CONTENT = re.compile(r"\.[\w-]{8}\.\w+$")
"""How the build names a file whose name changes with its content."""
_compressing = Lock()


def answered_by_streamlit(path: str) -> bool:
    """Say whether Streamlit answers HTTP requests for `path`: what its pages need, and no more.

    Its load figures, agents, uploads, logins and older components are not needed here. To any
    address that it does not know it would answer its front page, with status 200.
    """
    return path in _NEEDED or path.startswith(_NEEDED_BELOW)


async def file_of_streamlit(request: Request) -> Response | None:
    """Answer with a script, style or font of Streamlit's; None if there is no such file."""
    path = request.scope["path"]
    file = _files().get(path)
    if file is None:
        return None
    hashed = _NAMED_BY_CONTENT.search(file.name)
    headers = {"Cache-Control": "public, max-age=31536000, immutable" if hashed else "no-cache"}
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if file.suffix not in _COMPRESSIBLE:
        return FileResponse(file, media_type=kind, headers=headers)
    headers["Vary"] = "Accept-Encoding"
    if not takes_gzip(request.headers.get("accept-encoding", "")):
        return FileResponse(file, media_type=kind, headers=headers)
    headers["Content-Encoding"] = "gzip"
    content = await to_thread.run_sync(_compressed, file)
    return Response(content, media_type=kind, headers=headers)


def _compressed(file: Path) -> bytes:
    with _compressing:  # once, however many ask for it at the same time
        return _compress(file)


@cache
def _compress(file: Path) -> bytes:
    return gzip.compress(file.read_bytes(), 9, mtime=0)


@cache
def _files() -> dict[str, Path]:
    """The scripts, styles and fonts by address."""
    files = (file for file in (STATIC / "static").rglob("*") if file.is_file())
    return {f"/{file.relative_to(STATIC).as_posix()}": file for file in files}

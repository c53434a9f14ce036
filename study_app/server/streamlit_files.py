"""Which addresses Streamlit answers; everything else of its is closed."""

from __future__ import annotations

from functools import cache

from study_app.server.documents import STATIC

_NEEDED = ("/_stcore/health", "/_stcore/host-config")
_NEEDED_BELOW = ("/media/", "/_stcore/bidi-components/")


def answered_by_streamlit(path: str) -> bool:
    """Say whether Streamlit answers HTTP requests for `path`: what its pages need, and no more.

    Its load figures, agents, uploads, logins and older components are not needed here. To any
    address that it does not know it would answer its front page, with status 200.
    """
    return path in _NEEDED or path.startswith(_NEEDED_BELOW) or path in _files()


@cache
def _files() -> frozenset[str]:
    """The addresses of the scripts, styles and fonts."""
    files = (file.relative_to(STATIC) for file in (STATIC / "static").rglob("*") if file.is_file())
    return frozenset(f"/{file.as_posix()}" for file in files)

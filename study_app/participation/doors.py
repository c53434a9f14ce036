"""The addresses of a study's two doors: Streamlit's page and the light page."""

from __future__ import annotations

from urllib.parse import quote

from study_app.providers import Provider


def streamlit_door(study: str, query: str = "") -> str:
    """Return the path of Streamlit's page for `study`; `query` is what a provider's link adds."""
    return f"/take?study={quote(study)}{'&' * bool(query)}{query}"


def light_door(study: str, query: str = "") -> str:
    """Return the path of the light page for `study`; `query` is what a provider's link adds."""
    return f"/p/{quote(study)}{'?' * bool(query)}{query}"


def told(where: str, study: str, provider: Provider) -> tuple[str, str]:
    """Return two lines that tell researchers where people take part, Streamlit's page first.

    Args:
        where: scheme and host of the server, such as `https://studies.example.org`.
        study: name of the study.
        provider: the study's; the address to give to it has what it fills in for each person.
    """
    query = provider.link_query
    use = "light page: opens in seconds on slow networks"
    if query:
        use = f"light page: the study's address at {provider.name}"
    return (
        f"Participants  {where}{streamlit_door(study, query)}",
        f"              {where}{light_door(study, query)}   {use}",
    )

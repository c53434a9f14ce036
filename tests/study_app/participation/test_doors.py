"""The addresses that researchers hand out."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from study_app import providers
from study_app.participation.doors import told
from study_app.providers import Identity

PROLIFIC = {"name": "prolific", "complete": "C1"}
SONA = {"name": "sona", "credit": "https://x.sona-systems.com/credit?survey_code={id}"}


def test_an_open_study_has_two_addresses_and_streamlits_is_the_first() -> None:
    first, second = told("https://x.org", "demo", providers.create("direct"))
    assert first == "Participants  https://x.org/take?study=demo"
    assert second.strip().startswith("https://x.org/p/demo   light page")


@pytest.mark.parametrize(
    ("config", "filled", "identity"),
    [
        (PROLIFIC, {"{{%PROLIFIC_PID%}}": "p", "{{%SESSION_ID%}}": "s"}, Identity("p", "s")),
        (SONA, {"%SURVEY_CODE%": "4711"}, Identity("4711")),
    ],
)
def test_a_provider_is_given_the_light_page_with_what_it_fills_in(
    config: dict[str, str], filled: dict[str, str], identity: Identity
) -> None:
    provider = providers.create(**config)
    lines = told("https://x.org", "demo", provider)
    for line, path in zip(lines, ("/take", "/p/demo"), strict=True):
        (address,) = (word for word in line.split() if word.startswith("https://"))
        for placeholder, value in filled.items():
            assert placeholder in address
            address = address.replace(placeholder, value)
        assert urlsplit(address).path == path
        assert provider.identity(dict(parse_qsl(urlsplit(address).query))) == identity
    assert lines[1].endswith(f"light page: the study's address at {provider.name}")

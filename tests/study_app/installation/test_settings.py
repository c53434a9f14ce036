"""What the environment says about the database, and what is never repeated of it."""

import sys

import pytest

from engine.errors import UsageError
from study_app.installation import Settings

URL = "postgresql+psycopg://ann:tulip@db.example.org:5432/study?sslmode=require"


def settings(monkeypatch, url):
    monkeypatch.setenv("DATABASE_URL", url)
    return Settings()


def test_the_password_is_not_shown(monkeypatch):
    given = settings(monkeypatch, URL)
    database = given.database()
    assert database.where == "postgresql://db.example.org:5432/study"
    assert "tulip" not in f"{given!r} {given} {database!r} {given.model_dump()}"


@pytest.mark.parametrize("url", [URL.replace("5432", "x"), URL.replace("psycopg", "asyncpg")])
def test_a_wrong_address_is_refused_without_repeating_it(monkeypatch, url):
    with pytest.raises(UsageError, match="DATABASE_URL cannot be used") as refused:
        settings(monkeypatch, url).database()
    assert "tulip" not in str(refused.value)


def test_a_missing_driver_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "db.backends.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError, match=r"pip install 'plausibly\[postgres\]'"):
        settings(monkeypatch, URL).database()


def test_consents_of_an_address_are_bounded_as_the_environment_says(monkeypatch):
    assert Settings().consent_bounds() == (400, 2.0)
    monkeypatch.setenv("PLAUSIBLY_CONSENTS", "1000, .5")
    assert Settings().consent_bounds() == (1000, 0.5)
    for wrong in ("many", "400", "0,2", "400,0", "400,-1", "400,nan", "400,inf", "1,2,3"):
        monkeypatch.setenv("PLAUSIBLY_CONSENTS", wrong)
        with pytest.raises(UsageError, match=f"PLAUSIBLY_CONSENTS is '{wrong}'.*400,2"):
            Settings().consent_bounds()


@pytest.mark.parametrize(
    ("given", "url"),
    [
        (None, None),
        ("", None),
        ("https://studies.example.org", "https://studies.example.org"),
        ("https://studies.example.org/", "https://studies.example.org"),
        ("http://10.0.0.7:8501", "http://10.0.0.7:8501"),
    ],
)
def test_the_address_that_people_know(monkeypatch, given, url):
    monkeypatch.delenv("PLAUSIBLY_URL", raising=False)
    if given is not None:
        monkeypatch.setenv("PLAUSIBLY_URL", given)
    assert Settings().public_url() == url


@pytest.mark.parametrize(
    "given",
    ["studies.example.org", "ftp://x.org", "https://x.org/below", "https://x:y", "https://a@x.org"],
)
def test_what_is_no_address_of_a_server_is_refused(monkeypatch, given):
    monkeypatch.setenv("PLAUSIBLY_URL", given)
    with pytest.raises(UsageError, match=r"PLAUSIBLY_URL is .* such as https://"):
        Settings().public_url()

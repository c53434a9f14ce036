"""Which passwords a server that others can reach does not take."""

import pytest
from typer.testing import CliRunner

from engine.errors import UsageError
from study_app.cli import plausibly
from study_app.researcher.passwords import is_loopback, weakness


@pytest.mark.parametrize(
    ("password", "what"),
    [
        ("", "is blank"),
        ("            ", "is blank"),
        ("x", "has fewer than 10 characters"),
        ("tr0ub4dor", "has fewer than 10 characters"),
        ("   short    ", "has fewer than 10 characters"),
        ("aaaaaaaaaaaaaaa", "repeats the same few characters"),
        ("abababababab", "repeats the same few characters"),
        ("1234567890", "is a row of digits or letters"),
        ("abcdefghijkl", "is a row of digits or letters"),
        ("password123", "is one of the commonest"),
        ("Passw0rd!2026", "is one of the commonest"),
        ("qwertyuiop", "is one of the commonest"),
        ("P1ausib1y2026", "is one of the commonest"),
        ("researcher-1", "is one of the commonest"),
        ("correct horse battery staple", None),
        ("k3-Vw9_tQ1xz", None),
        ("ein langer Satz", None),
        ("パスワードではない長い文", None),
    ],
)
def test_weak_passwords_are_known(password, what):
    assert weakness(password) == what


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("127.0.0.1", True),
        ("127.0.0.2", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.7", False),
        ("lab.example.org", False),
    ],
)
def test_who_can_reach_a_host(host, inside):
    assert is_loopback(host) == inside


@pytest.mark.parametrize(
    ("arguments", "further"),
    [(["--host", "0.0.0.0"], {}), ([], {"PLAUSIBLY_URL": "https://studies.example.org"})],
)
def test_a_weak_password_is_refused_where_others_come_in(tmp_path, monkeypatch, arguments, further):
    home = tmp_path / "home"
    given = {"PLAUSIBLY_HOME": str(home), "PLAUSIBLY_PASSWORD": " x "} | further
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    for command in ("serve", "demo"):
        with pytest.raises(UsageError, match=r"has fewer than 10 .* lets others in") as refused:
            CliRunner().invoke(plausibly.app, [command, *arguments], catch_exceptions=False)
        assert refused.value.exit_code == 2
    assert not home.exists()

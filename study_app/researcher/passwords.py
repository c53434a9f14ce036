"""Which passwords are too weak for a server that others can reach."""

from __future__ import annotations

import ipaddress

from engine.errors import UsageError

MIN_LENGTH = 10
MIN_DIFFERENT = 5
"""Different characters."""

# fmt: off
_WORDS = frozenset((
    "abc", "abcdef", "admin", "administrator", "adversarial", "asdf", "asdfgh", "asdfghjkl",
    "baseball", "changeme", "computer", "default", "demo", "dragon", "experiment", "football",
    "guest", "hello", "iloveyou", "letmein", "letmeinnow", "login", "master", "monkey",
    "mypassword", "password", "passwordpassword", "passwort", "plausible", "plausibly",
    "princess", "qazwsx", "qazwsxedc", "qwert", "qwerty", "qwertyuiop", "qwertz", "qwertzuiop",
    "researcher", "researchers", "root", "secret", "starwars", "study", "sunshine", "superman",
    "test", "testtest", "trustno", "university", "user", "welcome", "whatever",
))
# fmt: on
"""What the commonest passwords are once digits and signs are taken away."""

_SIGNS = tuple(str.maketrans("0134578@$!", letters) for letters in ("oieastbasi", "oleastbasl"))
"""What signs stand for in such passwords."""

_ROWS = ("01234567890123456789", "98765432109876543210", "abcdefghijklmnopqrstuvwxyz")


def weakness(password: str) -> str | None:
    """Return what is wrong with a password, as the end of a sentence; None if nothing is seen."""
    if not password.strip():
        return "is blank"
    if len(password.strip()) < MIN_LENGTH:
        return f"has fewer than {MIN_LENGTH} characters"
    if len(set(password.lower())) < MIN_DIFFERENT:
        return "repeats the same few characters"
    plain = password.lower()
    if any(plain in row for row in _ROWS):
        return "is a row of digits or letters"
    core = plain.strip("".join(each for each in plain if not each.isalpha()))
    if not _WORDS.isdisjoint({_letters(plain), *(core.translate(signs) for signs in _SIGNS)}):
        return "is one of the commonest"
    return None


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_strong(password: str, where: str) -> None:
    """Check a password for a server that others can reach.

    Args:
        password: the researchers'.
        where: what lets others in, for the sentence.

    Raises:
        UsageError: it is blank, short or common.
    """
    if (wrong := weakness(password)) is not None:
        raise UsageError(
            f"PLAUSIBLY_PASSWORD {wrong}, and {where} lets others in: take one of at least "
            f"{MIN_LENGTH} characters that nobody guesses, or leave it out to have one made"
        )


def _letters(text: str) -> str:
    return "".join(each for each in text if each.isalpha())

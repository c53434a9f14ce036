"""Tokens and codes. What is stored of a token is its hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets

_CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # no 0 and O, no 1 and I


def sha256(token: str) -> str:
    """Return the hash (hex) under which a token is stored and found."""
    return hashlib.sha256(token.encode()).hexdigest()


def participant_token(key: bytes, study: str, nonce: str) -> str:
    """Return the 128-bit token (32 hex digits) of the participant who has the browser's `nonce`.

    Derived, so that a consent sent twice (its answer was lost) gets the same token again, though
    only the hash is stored.
    """
    return _keyed(key, "token", study, nonce)[:32]


def provider_id_hmac(key: bytes, study: str, provider: str, provider_id: str) -> str:
    """Return the keyed hash (hex) by which a provider's id is recognised."""
    return _keyed(key, "provider", study, provider, provider_id)


def completion_code() -> str:
    """Return a fresh code that people can read out: 40 bits in two groups of four."""
    return _code(2)


def invitation_code() -> str:
    """Return a fresh code that lets somebody in: 80 bits in four groups of four."""
    return _code(4)


def _code(groups: int) -> str:
    return "-".join(
        "".join(secrets.choice(_CODE_ALPHABET) for _ in range(4)) for _ in range(groups)
    )


def _keyed(key: bytes, *parts: str) -> str:
    # Lengths first: ("a", "bc") and ("ab", "c") must differ.
    message = "".join(f"{len(part)}:{part}" for part in parts)
    return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()

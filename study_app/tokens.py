"""Tokens and codes. What is stored of a token is its hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets

_CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # no 0 and O, no 1 and I


def sha256(token: str) -> str:
    """Return the hash (hex) under which a token is stored and found."""
    return hashlib.sha256(token.encode()).hexdigest()


def participant_token(key: bytes, study: str, identity: str) -> str:
    """Return the 128-bit token (32 hex digits) of the participant whom `identity` stands for.

    Derived, so that a consent sent twice (its answer was lost) gets the same token again, though
    only the hash is stored. `identity` is the browser's secret nonce or the provider's id.
    """
    return _keyed(key, "token", study, identity)[:32]


def provider_id_hmac(key: bytes, study: str, provider: str, provider_id: str) -> str:
    """Return the keyed hash (hex) by which a provider's id is recognised."""
    return _keyed(key, "provider", study, provider, provider_id)


def completion_code() -> str:
    """Return a fresh code that people can read out: 40 bits in two groups of four."""
    letters = "".join(secrets.choice(_CODE_ALPHABET) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def _keyed(key: bytes, *parts: str) -> str:
    # Lengths first: ("a", "bc") and ("ab", "c") must differ.
    message = "".join(f"{len(part)}:{part}" for part in parts)
    return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()

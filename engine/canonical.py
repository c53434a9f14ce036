"""One spelling for every JSON value that is hashed, so that equal things have equal hashes."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def dumps(value: Any) -> str:
    """Return the canonical JSON of `value`: sorted keys, no spaces, no NaN.

    Raises:
        ValueError: `value` holds NaN or infinity, which JSON cannot say.
        TypeError: `value` holds something that is not JSON.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256(value: Any) -> str:
    """Return the SHA-256 (hex) of the canonical JSON of `value`."""
    return hashlib.sha256(dumps(value).encode()).hexdigest()

"""One way to write JSON, so that equal content has equal text and an equal hash."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys, no spaces, UTF-8 text.

    Raises:
        ValueError: NaN or an infinity is in it.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256_hex(content: bytes) -> str:
    """Return SHA-256 as 64 lowercase hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()

"""Seeds derived by name, so that adding a consumer never shifts the numbers of another."""

from __future__ import annotations

import hashlib


def derive(seed: int, *path: str | int) -> int:
    """Return a 63-bit seed for the consumer that `path` names, e.g. `derive(0, "tgsm", 17)`.

    The first 63 bits of SHA-256 over the seed and the path: the same on every machine, and
    unrelated for different paths.
    """
    text = "/".join([str(seed), *(str(part) for part in path)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1

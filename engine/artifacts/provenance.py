"""Where a result came from: package versions, git revision, machine. For manifests only.

None of this enters an artifact's key: the same recipe has the same key everywhere.
"""

from __future__ import annotations

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("plausibly", "torch", "captum", "numpy", "pillow", "scikit-learn", "safetensors")


@cache
def environment() -> dict[str, Any]:
    """Return versions, git revision (None outside a checkout) and processor."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "revision": _revision(),
        "processor": _processor(),
    }


def now() -> str:
    """Return the current time as UTC ISO 8601 with milliseconds and Z."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def processor_seconds() -> float:
    """Return the processor time of this process, its threads, and its children that have ended.

    A worker process makes one artifact at a time, so the difference is what that one took.
    """
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def _processor() -> str:
    """Return the processor's model where the system tells it: last bits depend on it."""
    try:
        text = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    except OSError:
        text = ""
    facts = dict(
        line.replace("\t", "").split(": ", 1) for line in text.splitlines() if ": " in line
    )
    if "model name" not in facts:
        return platform.machine()
    # A virtual machine's name is often that of a whole family.
    numbers = "/".join(facts.get(each, "?") for each in ("cpu family", "model", "stepping"))
    return f"{facts['model name'].strip()} ({numbers})"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _revision() -> str | None:
    root = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None

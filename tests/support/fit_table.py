"""Which saliency method applies to which kind of network, as the table of docs/saliency.md.

PYTHONPATH=. .venv/bin/python tests/support/fit_table.py            prints it
PYTHONPATH=. .venv/bin/python tests/support/fit_table.py --write    puts it into the document
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import numpy as np
from fit_networks import CASES

from engine import saliency
from engine.saliency import Fit, Target

DOCUMENT = Path(__file__).parents[2] / "docs" / "saliency.md"
START, END = "<!-- table: fits -->\n", "<!-- end: fits -->\n"
PARAMS: dict[str, dict[str, Any]] = {"rise": {"masks": 50, "grid": 3}}
"""What makes a method quick."""
OF_A_LAYER = ("grad_cam", "guided_grad_cam")


def verdict(network: str, method: str, **params: Any) -> Fit:
    """Return the verdict of a method on a network.

    Args:
        network: a key of `CASES`.
        method: a registered name.
        params: of the method.
    """
    case = CASES[network]
    images = np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32)
    explains = saliency.create(method, **PARAMS.get(method, {}), **params)
    return explains.fit(
        case.network(),
        images,
        Target(np.array([0, 1])),
        seeds=np.arange(2),
        baseline=np.zeros_like(images) if explains.uses_baseline else None,
    )


@functools.cache
def judged(network: str, method: str) -> Fit:
    """Return the verdict on a network with the layer that is named for it, where one is needed."""
    return verdict(network, method, **CASES[network].layer if method in OF_A_LAYER else {})


def table() -> str:
    """Return the table of all registered methods, in Markdown."""
    rows = [
        "| method | " + " | ".join(case.words for case in CASES.values()) + " |",
        "|---|" + "---|" * len(CASES),
    ]
    for method in sorted(saliency.registry.names()):
        found = [_in_words(judged(network, method)) for network in CASES]
        rows.append(f"| `{method}` | " + " | ".join(found) + " |")
    return "\n".join(rows) + "\n"


def documented(text: str) -> str:
    """Return the table that a document shows."""
    return text.partition(START)[2].partition(END)[0]


def _in_words(fit: Fit) -> str:
    codes = ", ".join(f"`{reason.code}`" for reason in fit.reasons)
    return f"{fit.verdict}: {codes}" if codes else fit.verdict


def main() -> None:
    """Print the table, or write it into the document."""
    if "--write" not in sys.argv[1:]:
        print(table(), end="")
        return
    text = DOCUMENT.read_text()
    DOCUMENT.write_text(text.replace(START + documented(text) + END, START + table() + END))


if __name__ == "__main__":
    main()

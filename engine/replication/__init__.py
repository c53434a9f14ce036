"""The papers' claims as checks with a verdict: does each hold, fail, or stay undecided?"""

from engine.replication.claims import FEWEST_SEEDS, Check, check, corrected
from engine.replication.document import by_chance, document, markdown
from engine.replication.papers import papers

__all__ = [
    "FEWEST_SEEDS",
    "Check",
    "by_chance",
    "check",
    "corrected",
    "document",
    "markdown",
    "papers",
]

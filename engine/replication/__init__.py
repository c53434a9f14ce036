"""The papers' claims as checks with a verdict: does each hold, fail, or stay undecided?"""

from engine.replication.claims import Check, check, markdown
from engine.replication.papers import papers

__all__ = ["Check", "check", "markdown", "papers"]

"""What of a paper's claims an experiment leaves out, for want of models."""

from __future__ import annotations

from collections.abc import Collection, Sequence


class Gaps:
    """Collects claims that are left out, or that compare with fewer models than the paper."""

    def __init__(self) -> None:
        self._left_out: dict[tuple[str, ...], dict[str, None]] = {}
        self._fewer: dict[tuple[str, ...], dict[str, None]] = {}

    def judged(self, claim: str, about: Collection[str], lacking: Sequence[str]) -> bool:
        """Say whether a statement can be judged, and note it where it cannot, or not whole.

        Args:
            claim: its number.
            about: labels of the models that it cannot do without.
            lacking: of the models that are in it those that the experiment has not.
        """
        needed = [label for label in lacking if label in about]
        if needed:
            self._left_out.setdefault(tuple(needed), {})[claim] = None
            return False
        if lacking:
            self._fewer.setdefault(tuple(lacking), {})[claim] = None
        return True

    def sentences(self) -> list[str]:
        """Return what was noted, a sentence for each set of models."""
        return [
            *(
                f"Left out of {_claims(claims)}: what needs {_listed(labels)}, which the "
                "experiment has not."
                for labels, claims in self._left_out.items()
            ),
            *(
                f"The models compared in {_claims(claims)} are those that are there, without "
                f"{_listed(labels)}."
                for labels, claims in self._fewer.items()
            ),
        ]


def _listed(labels: Sequence[str]) -> str:
    *most, last = map(repr, labels)
    return f"{', '.join(most)} and {last}" if most else last


def _claims(claims: Collection[str]) -> str:
    return f"claim{'s' * (len(claims) > 1)} {', '.join(claims)}"

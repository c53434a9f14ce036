"""Whether a method applies to a network, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from engine.errors import UsageError

Verdict: TypeAlias = Literal["fits", "doubtful", "refused"]
DELTA = 0.05
"""A map that should add up to F(image) - F(baseline) and is off by more than this share of it is
marked."""


@dataclass(frozen=True)
class Reason:
    """One reason why maps are not drawn, or drawn with a mark.

    Attributes:
        code: a short name: `no_relu_modules`.
        says: a sentence for readers, with what was found.
        refuses: whether no map is drawn; else maps are drawn and marked.
    """

    code: str
    says: str
    refuses: bool = True


class UnfitError(UsageError):
    """A method does not apply to a network: raised where that shows when maps are made alone."""

    def __init__(self, code: str, says: str) -> None:
        super().__init__(says)
        self.reason = Reason(code, says)


@dataclass(frozen=True)
class Fit:
    """The verdict on one method and one network, stored with the maps.

    Attributes:
        reasons: why not without more; none where it fits.
    """

    reasons: tuple[Reason, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """`refused`: no map is drawn; `doubtful`: maps are marked; else `fits`."""
        if any(reason.refuses for reason in self.reasons):
            return "refused"
        return "doubtful" if self.reasons else "fits"

    def also(self, *reasons: Reason) -> Fit:
        """Return the fit with further reasons."""
        return Fit((*self.reasons, *reasons))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, the verdict included."""
        return {"verdict": self.verdict, "reasons": [asdict(reason) for reason in self.reasons]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Fit:
        """Return the fit that `to_json` gave."""
        return cls(tuple(Reason(**reason) for reason in value["reasons"]))

"""Whether a method applies to a network, and why not.

Codes of reasons are stored with the maps, and stay what they are. By what the network is made of:

    no_relu_modules         it has none, and the method is a rule for them
    functional_relus        rectifiers are in no module of their own, where the method has its rule
    other_activations       (doubt) activations for which the method has no rule
    unsupported_operations  the same of other operations, and no map is drawn
    averaged_draws          it is a mean over random draws, and the method's rules see single ones
    no_cam_layer            it has, or declares, no layer whose activations are a map
    no_such_layer           it has no layer of the name that the method is given, or one without
                            weights
    no_copy                 it cannot be copied, and the method asks a copy with other weights

By a trial on two images:

    raises                  it cannot be computed
    no_gradient             what is explained does not follow from what is differentiated
    empty                   it gives nothing
    no_map                  what it gives has no height and width
    no_windows              the windows that it hides do not cover the image
    not_finite              what it gives is NaN or infinite, though the gradient is finite
    plain_gradient          it gives the gradient, in place of which it should put something else
    blank                   (doubt) every map is zero in every pixel

By the maps of all images, when they are stored: `blank` (doubt), and

    imported                (doubt) they were brought from a file, and nobody asked
    not_brought             the file has no maps of the model; (doubt) none of some image kinds
    other_seed              the file has maps of the models of another seed
    incomplete              (doubt) maps do not add up to what they explain, beyond `DELTA`
"""

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

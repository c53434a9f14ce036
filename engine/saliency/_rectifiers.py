"""Guided backprop changes the backward pass of rectifiers: which of them it can reach."""

from __future__ import annotations

from engine.networks.structure import Structure
from engine.saliency._fit import Reason


def unreached(structure: Structure) -> list[Reason]:
    """Return why guided backprop would be the plain gradient, in part or as a whole.

    Captum changes rectifiers by hooks on `nn.ReLU`.
    """
    found = []
    if not structure.named("ReLU"):
        says = (
            "the network has no ReLU modules, so that guided backprop would be the plain gradient"
        )
        found.append(Reason("no_relu_modules", says))
    if structure.functional_relus > 0:
        says = (
            f"{structure.functional_relus} of {structure.relu_operations} rectifiers are functions "
            "and no modules: guided backprop would take the plain gradient through them"
        )
        found.append(Reason("functional_relus", says))
    return found

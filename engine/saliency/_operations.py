"""What a network computes that a method's rules do not cover."""

from __future__ import annotations

from collections.abc import Mapping

from engine.networks.structure import Structure
from engine.saliency._fit import Reason


def averaged(structure: Structure) -> list[Reason]:
    """Refuse a network that is a mean over draws: rules that sit on modules see single draws."""
    if structure.draws == 1:
        return []
    said = f"the network's answer is a mean over {structure.draws} draws, for which it has no rule"
    return [Reason("averaged_draws", said)]


def left_over(structure: Structure, ruled: Mapping[str, int]) -> list[Reason]:
    """Refuse a network with operations that are not linear and have no rule.

    Args:
        structure: of the network.
        ruled: how many of the operations have a rule, by PyTorch's name.
    """
    left = {
        name: times - ruled.get(name, 0)
        for name, times in sorted(structure.nonlinear.items())
        if times > ruled.get(name, 0)
    }
    if not left:
        return []
    named = ", ".join(f"{times} {name}" for name, times in left.items())
    if "Relu" in left:
        said = (
            f"{left['Relu']} ReLUs are functions and no modules, which its rules cannot see "
            f"(operations without a rule: {named})"
        )
        return [Reason("functional_relus", said)]
    said = f"the network has operations for which it has no rule: {named}"
    return [Reason("unsupported_operations", said)]

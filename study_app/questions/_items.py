"""What a picture is an example of: the key under which answers about it are counted together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def item_key(passport: Mapping[str, Any]) -> str:
    """Return the key of the item that a picture is an example of, made from its passport.

    - `clean`;
    - `mistake:DEFENSE:ATTACK`, and `control:DEFENSE:ATTACK` for what aims at nothing;
    - `map:DEFENSE:METHOD` of a clean image, `map:DEFENSE:METHOD:ATTACK` of a disturbed one;
    - `placebo:edges`, and `placebo:other_image:DEFENSE:METHOD`.

    DEFENSE and, in a map's key, ATTACK are labels of the experiment; else ATTACK and METHOD are
    names of members, whatever their parameters.
    """
    kind, defense = passport["kind"], passport.get("defense") or "none"
    if kind == "map":
        return _map_key(passport["saliency"], defense)
    if kind == "clean":
        return "clean"
    attack = passport["attack"]["name"] if passport.get("attack") else "unknown"
    return f"{'mistake' if kind == 'adversarial' else kind}:{defense}:{attack}"


def _map_key(saliency: Mapping[str, Any], defense: str) -> str:
    method, of = saliency["name"], saliency["of"]
    if saliency["placebo"] and method == "edges":
        return "placebo:edges"
    start = "placebo:other_image" if saliency["placebo"] else "map"
    return f"{start}:{defense}:{method}{'' if of == 'clean' else f':{of}'}"


def item_keys(pictures: Sequence[Mapping[str, Any]], asked_label: int | None) -> list[str]:
    """Return the keys of a presentation's pictures, in the order shown.

    Examples of one attack that aim at different classes are told apart by what is asked: that of
    the class asked about ends in `:asked`, others in `:other`.

    Args:
        pictures: their passports.
        asked_label: class index of the label that is asked about; None: none.
    """
    found = [item_key(passport) for passport in pictures]
    return [
        f"{own}:{'asked' if passport['target'] == asked_label else 'other'}"
        if own.startswith("mistake:") and found.count(own) > 1 and asked_label is not None
        else own
        for own, passport in zip(found, pictures, strict=True)
    ]

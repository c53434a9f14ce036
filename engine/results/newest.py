"""Which run of an experiment readers are shown: the newest, unless an earlier one holds more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.artifacts import Artifact, ArtifactStore, Parent, Recipe
from engine.errors import ArtifactError


def shown(indexes: Sequence[Artifact], store: ArtifactStore) -> Artifact:
    """Return which index, of all those of one name, oldest first, stands for the experiment.

    It is the newest. Only where something failed in that one, and an earlier run of the same
    experiment holds all that it holds and more, it is the earlier: mended and run again, an
    experiment finds its complete index, which may be older. After a change to the experiment no
    earlier run covers the newest, which then is shown with what it lacks and why.
    """
    newest = indexes[-1]
    best = newest
    for each in reversed(indexes[:-1]):
        if _lacking(each) < _lacking(best) and _covers(each.recipe, newest.recipe, store):
            best = each
    return best


def _lacking(index: Artifact) -> set[str]:
    return set(index.recipe.config.get("missing", {}))


def _covers(one: Recipe, other: Recipe, store: ArtifactStore) -> bool:
    """Return whether `other` makes what `one` does from parts of what `one` makes it from."""
    return _own(one) == _own(other) and all(
        role in one.parents and _parent_covers(one.parents[role], parent, store)
        for role, parent in other.parents.items()
    )


def _parent_covers(one: Parent, other: Parent, store: ArtifactStore) -> bool:
    if one == other:
        return True
    try:
        ours, theirs = (store.get(each.kind, each.key).recipe for each in (one, other))
    except ArtifactError:
        return False
    return _covers(ours, theirs, store)


def _own(recipe: Recipe) -> Recipe:
    """Return what a recipe says beside its parents and their failures."""
    config = {name: value for name, value in recipe.config.items() if name != "missing"}
    return replace(recipe, config=config, parents={})

"""Changed code is another model: which models of a run are made anew for that reason alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from engine import models
from engine.artifacts import Artifact, ArtifactStore, Recipe
from engine.errors import ArtifactError
from engine.execution.executor import Made, Task
from engine.jobs import model

_CODE = "code_sha256"


def sentences(tasks: Sequence[Task], store: ArtifactStore) -> list[str]:
    """Return a sentence for each model that is not stored, but was with other code.

    Models that need others are left out: what is said of those holds for them.

    Args:
        tasks: planned, not begun.
        store: where the run looks for artifacts.
    """
    recipes = (
        (task, task.recipe(Made())) for task in tasks if task.stage == "train" and not task.needs
    )
    coded = [(task, recipe) for task, recipe in recipes if _CODE in recipe.config["architecture"]]
    found = []
    stored: list[Artifact] | None = None
    for task, recipe in coded:
        if store.find(recipe) is not None:
            continue
        stored = list(_readable(store)) if stored is None else stored
        before = [a for a in stored if _without_code(a.recipe) == _without_code(recipe)]
        if before:
            found.append(_sentence(task, recipe, before[-1]))
    return found


def _sentence(task: Task, recipe: Recipe, before: Artifact) -> str:
    architecture = models.registry.from_config(recipe.config["architecture"])
    then = model.code(before)
    what = (
        f"{', '.join(models.changes(then, architecture.code()))} changed since"
        if then
        else "the code was not recorded when"
    )
    return (
        f"{task.name}: {what} model/{before.key[:12]}… was made; changed code is another model, "
        "so all that is measured of it is made anew"
    )


def _without_code(recipe: Recipe) -> Recipe:
    """Return the recipe as if the network had no code of its own."""
    architecture: dict[str, Any] = {**recipe.config.get("architecture", {}), _CODE: None}
    config = {**recipe.config, "architecture": architecture}
    return replace(recipe, config=config, schema=0)


def _readable(store: ArtifactStore) -> Iterator[Artifact]:
    """Yield the stored models, oldest first; nothing where one is damaged, which verify tells."""
    try:
        yield from store.all("model")
    except ArtifactError:
        return

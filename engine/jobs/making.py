"""Making one artifact, in a worker process.

It takes a recipe alone: all that a job needs is in the recipe's configuration and parents, so the
same job can be run anywhere, and again from a manifest.
"""

from __future__ import annotations

import torch

from engine.artifacts import Artifact, ArtifactStore, Recipe
from engine.jobs._kinds import kinds
from engine.jobs.context import Job
from engine.networks import devices
from engine.networks.memory import Memory
from engine.training.loop import Progress


def run(
    recipe: Recipe,
    store: ArtifactStore,
    progress: Progress,
    *,
    device: str = "cpu",
    memory: Memory | None = None,
) -> Artifact:
    """Make the artifact of `recipe` on `device`, or return it when it is there already.

    `memory` is what the job goes by, a fresh one for each; by default it has no limit.
    """
    found = store.find(recipe)
    if found is not None:
        return found
    kind = kinds.get(recipe.kind)
    torch.set_num_threads(recipe.numeric_path["threads"])
    # Some backward passes have no deterministic kernel on a GPU: there it warns instead.
    on_gpu = torch.device(device).type == "cuda"
    # Does what torch.use_deterministic_algorithms does, without importing torch's compiler: that
    # takes two seconds in every worker, and nothing here is compiled.
    torch.set_deterministic_debug_mode("warn" if on_gpu else "error")
    memory = memory or Memory(None)
    with (
        store.draft(
            recipe,
            seed=recipe.config.get("seed"),
            device=devices.describe(device),
            environment={"memory_budget": memory.budget, "images_at_a_time": memory.used},
        ) as draft,
        memory.applied(),
    ):
        kind.make(Job(recipe, store, draft, progress, torch.device(device)))
    return store.get(recipe.kind, recipe.key)

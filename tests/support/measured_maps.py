"""Numbers of metrics of maps, written by hand beside a finished experiment."""

from __future__ import annotations

import numpy as np

from engine import metrics
from engine.artifacts import Recipe, Role, write_arrays, write_json
from engine.datasets import spread
from engine.jobs import experiment as index
from engine.jobs import map_metrics
from engine.results import Results

NAMES = ("agreement", "infidelity", "smoothness")
FEW = 12


def measured(results: Results, method: str, *defenses: str, failed: str = "") -> Results:
    """Return the same run with metrics of a method's maps of FEW images of each kind.

    `infidelity` is .2 for the maps, .9 for edges and .95 for noise; of every second image there is
    none. `smoothness` is the index of the image over 100. `failed` is a defense whose did not come.
    """
    parents = dict(results.index.recipe.parents)
    for defense in defenses:
        maps = results.maps(defense, method)
        config = {"metrics": [metrics.create(name).config() for name in NAMES], "images": FEW}
        own = {"maps": maps.artifact.as_parent()}
        recipe = Recipe("map_metrics", config, own, results.data_sha256)
        with results.store.draft(recipe) as draft:
            arrays: dict = {}
            for image in maps.images:
                there = maps.indices(image)
                there = there[spread(results.source.labels[there], FEW)]
                arrays[f"indices/{image}"] = there
                for of, value in (("maps", 0.2), ("edges", 0.9), ("random", 0.95)):
                    every = np.arange(len(there)) % 2 == 0
                    told = {
                        "infidelity": np.where(every, value, np.nan),
                        "smoothness": there / 100,
                        "agreement": np.full(len(there), np.nan if image == "clean" else value),
                    }
                    for name, values in told.items():
                        arrays[f"{of}/{name}/{image}"] = values.astype(np.float64)
                    why = np.where(every, "", "flat_network").astype("<U16")
                    arrays[f"why.{of}/infidelity/{image}"] = why
                    if image == "clean":
                        no = np.full(len(there), "no_clean", "<U16")
                        arrays[f"why.{of}/agreement/{image}"] = no
            write_arrays(draft / map_metrics.FILE, arrays)
            write_json(draft / map_metrics.ABOUT, {"absent": None})
        made = results.store.get("map_metrics", recipe.key)
        parents[str(Role("map_metrics", defense, method))] = made.as_parent()
    config = dict(results.index.recipe.config)
    if failed:
        config["missing"] = {str(Role("map_metrics", failed, method)): "OutOfMemory: /home/lab"}
    recipe = Recipe("experiment", config, parents, results.data_sha256)
    with results.store.draft(recipe) as draft:
        write_json(draft / index.FILE, config)
    return Results(results.store, results.store.get("experiment", recipe.key))

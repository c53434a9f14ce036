"""From an experiment file to its artifacts: train, attack, explain, evaluate.

Stages are declared as tasks with needs; a task whose artifact exists is skipped, so a killed run
resumes and a second run only looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.artifacts import Artifact, ArtifactStore, Parent, Recipe, write_json
from engine.config import Experiment
from engine.defenses import Defense
from engine.executor import LocalExecutor, Observer, Task
from engine.results import INDEX
from engine.training import TrainingConfig


def run(experiment: Experiment, store: ArtifactStore, observer: Observer) -> Artifact:
    """Make everything that `experiment` declares and return its index artifact."""
    data = experiment.dataset.load()
    facts = {
        "dataset": experiment.dataset.config(),
        "seed": experiment.seed,
    }
    tasks = _tasks(experiment, data.sha256, data.shape, len(data.class_names), facts)
    made = LocalExecutor(store).run(tasks, observer)
    return _index(experiment, store, made, data.sha256, data.class_names, facts)


def _tasks(
    experiment: Experiment,
    data_sha256: str,
    shape: tuple[int, int, int],
    classes: int,
    facts: dict[str, Any],
) -> list[Task]:
    tasks: list[Task] = []

    def add(
        name: str,
        stage: str,
        kind: str,
        config: dict[str, Any],
        parents: Mapping[str, str],
        versions: dict[str, int],
    ) -> str:
        def recipe(made: Mapping[str, Artifact]) -> Recipe:
            return Recipe(
                kind,
                {**facts, **config},
                {role: made[task].as_parent() for role, task in parents.items()},
                data_sha256,
                versions,
            )

        tasks.append(Task(name, stage, tuple(parents.values()), recipe))
        return name

    def train(name: str, defense: Defense, schedule: TrainingConfig) -> str:
        teachers = {
            role: train(f"{name}.{role}", required, schedule)
            for role, required in defense.requires().items()
        }
        config = {
            "architecture": experiment.architecture.config(),
            "shape": list(shape),
            "classes": classes,
            "defense": defense.config(),
            "training": schedule.model_dump(mode="json"),
        }
        versions = {
            "architecture": experiment.architecture.version,
            "dataset": experiment.dataset.version,
            "defense": defense.version,
        }
        return add(f"train {name}", "train", "model", config, teachers, versions)

    everything: dict[str, str] = {}
    # The longest training first: it decides when the run ends.
    longest_first = sorted(experiment.defenses, key=lambda d: -experiment.schedule(d).steps)
    for label in longest_first:
        defense = experiment.defenses[label].defense
        model = train(label, defense, experiment.schedule(label))
        everything[f"model:{label}"] = model
        examples = {
            attack: add(
                f"attack {label} with {attack}",
                "attack",
                "examples",
                {
                    "attack": spec.attack.config(),
                    "control": spec.attack.control,
                    "split": "test",
                    "target": "next_class",
                },
                {"model": model},
                {"attack": spec.attack.version},
            )
            for attack, spec in experiment.attacks.items()
        }
        everything |= {f"examples:{label}:{attack}": task for attack, task in examples.items()}
        for method, spec in experiment.saliency.items():
            everything[f"maps:{label}:{method}"] = add(
                f"explain {label} by {method}",
                "explain",
                "maps",
                {"saliency": spec.method.config(), "split": "test"},
                {"model": model, **examples},
                {"saliency": spec.method.version},
            )
    measured = {role: task for role, task in everything.items() if not role.startswith("maps:")}
    add("evaluate", "evaluate", "evaluation", {"split": "test"}, measured, {"evaluation": 1})
    return tasks


def _index(
    experiment: Experiment,
    store: ArtifactStore,
    made: Mapping[str, Artifact],
    data_sha256: str,
    class_names: tuple[str, ...],
    facts: dict[str, Any],
) -> Artifact:
    """Store what readers and studies need to find their way from names to artifacts."""

    def reference(task: str) -> Parent:
        return made[task].as_parent()

    parents = {"evaluation": reference("evaluate")}
    for label in experiment.defenses:
        parents[f"model:{label}"] = reference(f"train {label}")
        for attack in experiment.attacks:
            parents[f"examples:{label}:{attack}"] = reference(f"attack {label} with {attack}")
        for method in experiment.saliency:
            parents[f"maps:{label}:{method}"] = reference(f"explain {label} by {method}")
    config = {
        **facts,
        "name": experiment.name,
        "title": experiment.title,
        "class_names": list(class_names),
        # Pairs, since stored JSON sorts its keys and readers want the file's order.
        "defenses": [[label, spec.title] for label, spec in experiment.defenses.items()],
        "attacks": [[label, spec.title] for label, spec in experiment.attacks.items()],
        "saliency": [[label, spec.title] for label, spec in experiment.saliency.items()],
    }
    recipe = Recipe("experiment", config, parents, data_sha256)
    found = store.find(recipe)
    if found is None:
        with store.draft(recipe, seed=experiment.seed) as draft:
            write_json(draft / INDEX, config)
        found = store.get(recipe.kind, recipe.key)
    return found

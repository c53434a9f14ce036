"""From an experiment file to its artifacts: train, choose, attack, explain, measure.

Stages are declared as tasks with needs; a task whose artifact exists is skipped, so a killed run
resumes and a second run only looks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.artifacts import NUMERIC_PATH, Artifact, ArtifactStore, Recipe, Role
from engine.attacks import Attack, TargetRule
from engine.datasets import Data
from engine.defenses import Combined, Defense
from engine.errors import PlausiblyError, UsageError
from engine.execution.executor import Executor, Observer, Task
from engine.execution.local import LocalExecutor
from engine.experiments.experiment_file import Experiment, Run
from engine.experiments.sweeps import Derived, Sweep
from engine.models import Architecture
from engine.results import CANDIDATE, CHOSEN, CURVE, RESULT, diverged

STAGES = ("train", "select", "attack", "explain", "measure", "evaluate", "index")

Made = Mapping[str, Artifact]
"""Finished tasks' artifacts, by task name."""


def run(
    experiment: Experiment,
    store: ArtifactStore,
    observer: Observer,
    executor: Executor | None = None,
    *,
    seeds: int = 1,
    only: str | None = None,
) -> list[Artifact]:
    """Make everything that `experiment` declares; return the index artifact of every run.

    Args:
        experiment: what to make.
        store: where artifacts are found and put.
        observer: watches.
        executor: makes it; default: `LocalExecutor(store)`.
        seeds: how many seeds, counted up from the experiment's.
        only: make only this stage and what it needs; the result is then empty unless it is the
            last.

    Raises:
        UsageError: `only` is no stage.
        PlausiblyError: something failed; whatever did not depend on it is made all the same.
    """
    if only is not None and only not in STAGES:
        raise UsageError(f"unknown stage {only!r}; known: {', '.join(STAGES)}")
    tasks = _tasks(experiment, store, seeds)
    if only is not None:
        tasks = _needed_for(only, tasks)
    made = (executor or LocalExecutor(store)).run(tasks, observer)
    return [made[task.name] for task in tasks if task.stage == "index"]


def find(experiment: Experiment, store: ArtifactStore, *, seeds: int = 1) -> list[Artifact]:
    """Return the index artifact of every run of exactly this experiment, and make nothing.

    Raises:
        PlausiblyError: something was not made here, or with other settings.
    """
    made: dict[str, Artifact] = {}
    # In this order a task comes after all that it needs.
    tasks = _tasks(experiment, store, seeds)
    for task in tasks:
        recipe = task.recipe(made)
        artifact = store.find(recipe)
        if artifact is None:
            raise PlausiblyError(
                f"{task.name} has not been made in {store.root} as the experiment file has it "
                f"({recipe.kind}/{recipe.key[:12]}…); run the experiment first"
            )
        made[task.name] = artifact
    return [made[task.name] for task in tasks if task.stage == "index"]


def _tasks(experiment: Experiment, store: ArtifactStore, seeds: int) -> list[Task]:
    tasks: list[Task] = []
    loaded: dict[str, Data] = {}
    for each in experiment.runs(seeds):
        key = repr(each.spec.dataset)
        if key not in loaded:
            loaded[key] = each.spec.dataset.load()
        tasks += _Plan(each, loaded[key], store).tasks
    return tasks


@dataclass(frozen=True)
class _Ref:
    """An artifact to come.

    Attributes:
        needs: the tasks after which `get` can tell which one it is.
        get: returns it.
    """

    needs: tuple[str, ...]
    get: Callable[[Made], Artifact]


class _Plan:
    """The tasks of one run, in the order of their stages."""

    def __init__(self, run: Run, data: Data, store: ArtifactStore) -> None:
        self.tasks: list[Task] = []
        self._run = run
        self._store = store
        self._experiment = run.experiment
        self._shape = data.shape
        self._classes = len(data.class_names)
        self._class_names = data.class_names
        self._notes = data.notes
        self._data_sha256 = data.sha256
        # Tells the tasks of several runs apart; a single one needs no telling.
        self._prefix = f"{run.label or 'seed'} {run.seed}: " if self._several() else ""
        self._models: dict[str, _Ref] = {}
        self._parents: dict[Role, _Ref] = {}
        for label in self._order():
            self._parents[Role("model", label)] = self._models[label] = self._model(label)
        for label in self._experiment.defenses:
            self._attack_and_explain(label)
        for label in self._experiment.defenses:
            self._measure(label)
        self._evaluate()
        self._index()

    def _several(self) -> bool:
        return bool(self._run.label) or self._run.seed != self._experiment.seed

    def _order(self) -> list[str]:
        """The reference before the sweeps, these before what takes their value; else the longest
        training first: it decides when the run ends."""

        def rank(label: str) -> tuple[bool, bool, int]:
            derived = isinstance(self._experiment.defenses[label].defense, Derived)
            others = label != self._experiment.selection.reference
            return derived, others, -self._run.schedule(label).steps

        return sorted(self._experiment.defenses, key=rank)

    def _add(
        self,
        name: str,
        stage: str,
        kind: str,
        config: dict[str, Any] | Callable[[Made], dict[str, Any]],
        parents: Mapping[Role, _Ref],
        versions: dict[str, int],
        *,
        also: Sequence[_Ref] = (),
        mode: str = "eager",
    ) -> _Ref:
        """Add a task and return its artifact to be.

        `also` is waited for beside the parents; `mode` is that of the numeric path.
        """
        facts = {"dataset": self._run.spec.dataset.config(), "seed": self._run.seed}
        task = self._prefix + name

        def recipe(made: Made) -> Recipe:
            return Recipe(
                kind,
                {**facts, **(config(made) if callable(config) else config)},
                {str(role): ref.get(made).as_parent() for role, ref in parents.items()},
                self._data_sha256,
                versions,
                {**NUMERIC_PATH, "mode": mode},
            )

        refs = [*parents.values(), *also]
        needs = tuple(dict.fromkeys(need for ref in refs for need in ref.needs))
        self.tasks.append(Task(task, stage, needs, recipe))
        return _Ref((task,), lambda made: made[task])

    def _model(self, label: str) -> _Ref:
        """Add the training of a defense, or of a whole sweep and the choice; return the model."""
        defense = self._experiment.defenses[label].defense
        if isinstance(defense, Sweep):
            return self._sweep(label, defense)
        if isinstance(defense, Derived):
            chosen = self._parents[Role("selection", defense.of)]

            def resolve(made: Made) -> Defense:
                return defense.template.fill(chosen.get(made).json(RESULT)[CHOSEN])

            # Any value tells which roles are required; the chosen one is known when it is needed.
            source = self._experiment.defenses[defense.of].defense
            assert isinstance(source, Sweep)
            probe = defense.template.fill(source.values[0])
            return self._usable(self._train(label, label, probe, resolve=resolve, also=[chosen]))
        return self._usable(self._train(label, label, defense))

    def _sweep(self, label: str, sweep: Sweep) -> _Ref:
        candidates = [
            self._train(f"{label} at {value:g}", label, candidate)
            for value, candidate in zip(sweep.values, sweep.candidates(), strict=True)
        ]
        rule = self._experiment.selection
        parents = {
            Role("reference"): self._models[rule.reference],
            **{Role(CANDIDATE, f"{i:02}"): ref for i, ref in enumerate(candidates)},
        }
        selection = self._add(
            f"select {label}",
            "select",
            "selection",
            {
                "parameter": sweep.template.parameter,
                "values": list(sweep.values),
                **rule.model_dump(mode="json"),
            },
            parents,
            {"selection": 1},
        )
        self._parents[Role("selection", label)] = selection

        def chosen(made: Made) -> Artifact:
            value = selection.get(made).json(RESULT)[CHOSEN]
            return candidates[sweep.values.index(value)].get(made)

        return _Ref(tuple(n for ref in (selection, *candidates) for n in ref.needs), chosen)

    def _train(
        self,
        name: str,
        label: str,
        defense: Defense,
        *,
        resolve: Callable[[Made], Defense] | None = None,
        role: str | None = None,
        also: Sequence[_Ref] = (),
    ) -> _Ref:
        """Add one training, after that of the models that its defense requires.

        `resolve` gives the defense that is meant once `also` is there; until then `defense`, which
        differs in a value only, stands for it.
        """

        def resolve_role(role: str) -> Callable[[Made], Defense] | None:
            return None if resolve is None else lambda made: resolve(made).requires()[role]

        teachers = {
            Role(role): self._usable(
                self._train(
                    f"{name}.{role}",
                    label,
                    needed,
                    resolve=resolve_role(role),
                    role=role,
                    also=also,
                )
            )
            for role, needed in defense.requires().items()
        }
        architecture = self._run.architecture(label)
        if architecture.pretrained:
            return self._adopt(name, architecture)

        def config(made: Made) -> dict[str, Any]:
            return {
                "architecture": architecture.config(),
                "shape": list(self._shape),
                "classes": self._classes,
                "defense": (resolve(made) if resolve else defense).config(),
                "training": self._run.schedule(label, role).model_dump(mode="json"),
            }

        versions = {
            "architecture": architecture.version,
            "dataset": self._run.spec.dataset.version,
            "defense": _version(defense),
        }
        return self._add(
            f"train {name}",
            "train",
            "model",
            config,
            teachers,
            versions,
            also=also,
            mode="closed_form" if defense.differentiates_input() else "eager",
        )

    def _adopt(self, name: str, architecture: Architecture) -> _Ref:
        """Add a network that is trained already.

        Its artifact is made here and now: the configuration that workers get holds the weights'
        hash and not where they lie.
        """
        from engine.jobs import making

        known = getattr(architecture, "class_names", None)
        if known is not None and tuple(known) != self._class_names:
            raise UsageError(
                f"{name}: its class_names are {', '.join(known)}, the dataset's are "
                f"{', '.join(self._class_names)}"
            )
        config = {
            "architecture": architecture.config(),
            "shape": list(self._shape),
            "classes": self._classes,
            "training": None,
        }
        versions = {
            "architecture": architecture.version,
            "dataset": self._run.spec.dataset.version,
        }
        ref = self._add(f"adopt {name}", "train", "model", config, {}, versions)
        making.adopt(self.tasks[-1].recipe({}), self._store, architecture)
        return ref

    def _usable(self, ref: _Ref) -> _Ref:
        """Return the model only if its training did not diverge."""
        (task,) = ref.needs

        def get(made: Made) -> Artifact:
            artifact = ref.get(made)
            if diverged(artifact):
                raise PlausiblyError(f"{task}: {artifact.json(CURVE)['diverged']['message']}")
            return artifact

        return _Ref(ref.needs, get)

    def _attack_and_explain(self, label: str) -> None:
        model = self._models[label]
        examples = {
            attack: self._add(
                f"attack {label} with {attack}",
                "attack",
                "examples",
                {**_aimed(spec.attack, spec.target), "split": "test"},
                {Role("model"): model},
                {"attack": spec.attack.version},
            )
            for attack, spec in self._experiment.attacks.items()
        }
        for attack, ref in examples.items():
            self._parents[Role("examples", label, attack)] = ref
        for method, spec in self._experiment.saliency.items():
            self._parents[Role("maps", label, method)] = self._add(
                f"explain {label} by {method}",
                "explain",
                "maps",
                {"saliency": spec.method.config(), "split": "test"},
                {
                    Role("model"): model,
                    **{Role("examples", attack): ref for attack, ref in examples.items()},
                },
                {"saliency": spec.method.version},
            )

    def _measure(self, label: str) -> None:
        model = self._models[label]
        self._parents[Role("measures", label)] = self._add(
            f"measure {label}", "measure", "measures", {}, {Role("model"): model}, {"measures": 1}
        )
        for curve, spec in self._experiment.curves.items():
            tested = self._models if spec.transfer else {label: model}
            self._parents[Role("curve", curve, label)] = self._add(
                f"curve {curve} of {label}",
                "measure",
                "curve",
                {
                    **_aimed(spec.attack, spec.target),
                    "over": spec.over,
                    "split": spec.split,
                    "images": spec.images,
                },
                {Role("source"): model, **{Role("model", k): ref for k, ref in tested.items()}},
                {"attack": spec.attack.version, "curve": 2},
            )
        for curve, smallest in self._experiment.minimum_norms.items():
            attack = smallest.attack
            self._parents[Role("minimum_norm", curve, label)] = self._add(
                f"minimum norm {curve} of {label}",
                "measure",
                "minimum_norm",
                {"attack": attack.config(), "split": smallest.split, "images": smallest.images},
                {Role("model"): model},
                {"attack": attack.version, "minimum_norm": 1},
            )
        for grid, every in self._experiment.grids.items():
            self._parents[Role("grid", grid, label)] = self._add(
                f"grid {grid} of {label}",
                "measure",
                "grid",
                {"attack": every.attack.config(), "split": "test", "per_class": every.per_class},
                {Role("model"): model},
                {"attack": every.attack.version, "grid": 1},
            )
        if self._experiment.doubt is not None:
            others = {Role("model", k): ref for k, ref in self._models.items() if k != label}
            self._parents[Role("ladder", label)] = self._add(
                f"doubt {label}",
                "measure",
                "ladder",
                self._experiment.doubt.model_dump(mode="json"),
                {Role("source"): model, **others},
                {"ladder": 1},
            )
        time = self._experiment.training_time
        keeps = self._run.schedule(label).keep_every is not None
        if time is not None and keeps and not self._run.architecture(label).pretrained:
            reference = self._models[self._experiment.selection.reference]
            self._parents[Role("training_time", label)] = self._add(
                f"training time of {label}",
                "measure",
                "training_time",
                {**_aimed(time.attack), "images": time.images},
                {Role("model"): model, Role("reference"): reference},
                {"attack": time.attack.version, "training_time": 1},
            )

    def _evaluate(self) -> None:
        measured = {
            role: ref
            for role, ref in self._parents.items()
            if role.kind in ("model", "examples", "measures", "ladder")
        }
        self._parents[Role("evaluation")] = self._add(
            "evaluate", "evaluate", "evaluation", {"split": "test"}, measured, {"evaluation": 2}
        )

    def _index(self) -> None:
        """Store what readers and studies need to find their way from names to artifacts."""
        experiment = self._experiment
        nouns = {
            # Pairs, since stored JSON sorts its keys and readers want the file's order.
            noun: [[label, spec.title] for label, spec in getattr(experiment, noun).items()]
            for noun in ("defenses", "attacks", "curves", "minimum_norms", "grids", "saliency")
        }
        config = {
            "name": self._run.name,
            "title": self._run.title,
            "experiment": experiment.name,
            "dataset_label": self._run.label,
            "class_names": list(self._class_names),
            "notes": list(self._notes),
            **nouns,
        }
        self._add("index", "index", "experiment", config, self._parents, {})


def _version(defense: Defense) -> int:
    """Return a number that rises with the version of every part."""
    parts = defense.parts if isinstance(defense, Combined) else (defense,)
    return 1 + sum(part.version - 1 for part in parts)


def _aimed(attack: Attack, target: TargetRule = "next_class") -> dict[str, Any]:
    return {"attack": attack.config(), "control": attack.control, "target": target}


def _needed_for(stage: str, tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks of a stage with all that they need, in their order."""
    by_name = {task.name: task for task in tasks}
    wanted = [task.name for task in tasks if task.stage == stage]
    kept: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name not in kept:
            kept.add(name)
            wanted += by_name[name].needs
    return [task for task in tasks if task.name in kept]

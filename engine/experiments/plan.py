"""From an experiment file to its artifacts: train, choose, attack, explain, measure.

Stages are declared as tasks with needs; a task whose artifact exists is skipped, so a killed run
resumes and a second run only looks. Training and choosing are planned here (`models`); what else is
wanted of each model, the kinds of artifacts say (`engine.jobs`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.artifacts import Artifact, ArtifactStore, Recipe, Role
from engine.datasets import Data
from engine.errors import MachineError, PlausiblyError, UsageError, said
from engine.execution.executor import Executor, Made, Observer, Task
from engine.execution.local import LocalExecutor
from engine.experiments import changed_code
from engine.experiments.experiment_file import Experiment, Run
from engine.experiments.tasks import Adoption, Planned, Tasks, Training, failing
from engine.experiments.trainings import Models
from engine.experiments.trying import refused_first
from engine.jobs import ANSWERING, Request, answering, evaluation, kinds, selection
from engine.jobs import experiment as index_kind
from engine.networks import budget
from engine.networks.memory import Memory

STAGES = ("train", "select", "attack", "explain", "measure", "evaluate", "index")
_NOT_INDEXED = ("candidate", "dataset", "map_file")
"""Kinds that are found otherwise: by the selection, the data, and the maps taken from a file."""


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
        TasksFailedError: something failed; whatever did not depend on it is made all the same, the
            index of every run that has a whole model included (`made`). It tells what is missing.
        MachineError: the disk is full, say, before anything could begin.
    """
    if only is not None and only not in STAGES:
        raise UsageError(f"unknown stage {only!r}; known: {', '.join(STAGES)}")
    planned = _planned(experiment, seeds)
    for sentence in changed_code.sentences(planned.tasks, store):
        observer.noted(sentence)
    executor = executor or LocalExecutor(store)
    # In this process, before there are workers.
    with Memory(executor.memory_budget or budget.of_machine(sharers=1)).applied():
        tasks = _adopted(planned, store)
    if only is not None:
        tasks = _needed_for(only, tasks)
    tasks = refused_first(tasks, planned.trainings, store)
    made = executor.run(tasks, observer)
    return [made[task.name] for task in tasks if task.stage == "index"]


def find(experiment: Experiment, store: ArtifactStore, *, seeds: int = 1) -> list[Artifact]:
    """Return the index artifact of every run of exactly this experiment, and make nothing.

    Where something failed, that is the index which lacks just what is not there.

    Raises:
        PlausiblyError: something was not made here, or with other settings.
    """
    made = Made()
    # In this order a task comes after all that it needs.
    tasks = _needed_for("index", _planned(experiment, seeds).tasks)
    for task in tasks:
        lacking = [need for need in task.needs if need in made.lost]
        if lacking:
            made.lost[task.name] = made.lost[lacking[0]]
            continue
        try:
            recipe = task.recipe(made)
        except MachineError:
            raise
        except PlausiblyError as error:  # a training that diverged
            made.lost[task.name] = str(error)
            continue
        artifact = _stored_index(recipe, store) if task.stage == "index" else store.find(recipe)
        if artifact is not None:
            made[task.name] = artifact
        else:
            made.lost[task.name] = (
                f"{task.name} has not been made in {store.root} as the experiment file has it "
                f"({recipe.kind}/{recipe.key[:12]}…); run the experiment first"
            )
    indexes = [task.name for task in tasks if task.stage == "index"]
    if any(name in made.lost for name in indexes):
        raise PlausiblyError(next(iter(made.lost.values())))
    return [made[name] for name in indexes]


def _stored_index(recipe: Recipe, store: ArtifactStore) -> Artifact | None:
    """Return the index of a run; of an incomplete one the newest, whatever it says of the failures.

    The sentences of failures are known only to the run that met them.
    """
    missing = recipe.config.get("missing")
    if missing is None:
        return store.find(recipe)
    found = None
    for index in store.all(recipe.kind):
        said = index.recipe.config.get("missing", {})
        if said.keys() == missing.keys():
            config = {**recipe.config, "missing": said}
            found = index if replace(recipe, config=config).key == index.key else found
    return found


def _adopted(planned: Planned, store: ArtifactStore) -> list[Task]:
    """Store what people bring of their own; return the tasks, failing where it could not be.

    Raises:
        MachineError: they cannot be written.
    """
    broken: dict[str, Task] = {}
    for adoption in planned.adoptions:
        try:
            adoption.adopt(adoption.task.recipe(Made()), store)
        except MachineError:
            raise
        except PlausiblyError as error:
            named = PlausiblyError(f"{adoption.task.name}: {error}")
            named.exit_code = error.exit_code
            broken[adoption.task.name] = failing(adoption.task, named)
        except Exception as error:
            named = PlausiblyError(f"{adoption.task.name}: {said(error)}")
            broken[adoption.task.name] = failing(adoption.task, named)
    return [broken.get(task.name, task) for task in planned.tasks]


def _planned(experiment: Experiment, seeds: int) -> Planned:
    """Return the tasks of all runs, and what is adopted before they begin; nothing is made."""
    tasks: dict[str, Task] = {}
    adoptions: list[Adoption] = []
    trainings: list[Training] = []
    loaded = _loaded(experiment)
    for each in experiment.runs(seeds):
        planned = _of_run(each, loaded[repr(each.spec.dataset)])
        # What runs share, their images say, is one task.
        tasks |= {task.name: task for task in planned.tasks if task.name not in tasks}
        adoptions += planned.adoptions
        trainings += planned.trainings
    return Planned(list(tasks.values()), adoptions, trainings)


def _loaded(experiment: Experiment) -> dict[str, Data]:
    """Return the datasets by their repr.

    Raises:
        PlausiblyError: some cannot be had; the message names all of them, and how to run the rest.
    """
    found: dict[str, Data] = {}
    problems: dict[str, PlausiblyError] = {}
    for run in experiment.runs():
        dataset = run.spec.dataset
        try:
            if repr(dataset) not in found:
                found[repr(dataset)] = dataset.load()
        except PlausiblyError as error:
            if not run.label:
                raise
            problems[run.label] = error
    if problems:
        lines = [f"  {label}: {error}" for label, error in problems.items()]
        whole = [run.label for run in experiment.runs() if run.label not in problems]
        if whole:
            options = " ".join(f"--dataset {label}" for label in whole)
            lines.append(f"  What is there can be run alone: {options}")
        count = f"{len(problems)} of {len(experiment.runs())} datasets cannot be read:"
        said = PlausiblyError("\n".join([count, *lines]))
        said.exit_code = max(error.exit_code for error in problems.values())
        raise said
    return found


def _of_run(run: Run, data: Data) -> Planned:
    """Return the tasks of one run, each after all that it needs."""
    tasks = Tasks(run, data.sha256)
    models = Models(run, data, tasks)
    models.add()
    for name, kind in kinds.having("adopted").items():
        for request, adopt in kind.adopted(run):
            tasks.add(kind.STAGE, name, request)
            models.adoptions.append(Adoption(tasks.all[-1], adopt))
    wanted = {
        request.role: (stage, name, request)
        for stage in STAGES
        for label in run.labels
        for name, kind in kinds.having("wanted").items()
        if stage == kind.STAGE
        for request in kind.wanted(run, label)
    }
    for role in wanted:
        _add(role, wanted, tasks)
    read = {
        role: answering(role.label) if role.kind == "model" else role
        for role in tasks.roles
        if role.kind in evaluation.READS
    }
    evaluate = Request(Role("evaluation"), "evaluate", {"split": "test"}, read, gathers=tuple(read))
    tasks.add("evaluate", "evaluation", evaluate)
    everything = {role: role for role in tasks.roles if role.kind not in _NOT_INDEXED}
    index = Request(
        Role("experiment"),
        "index",
        _index(run, data),
        everything,
        gathers=tuple(everything.keys() - {Role("evaluation"), Role("source")}),
        tells_missing=True,
    )
    tasks.add("index", "experiment", index)
    return Planned(tasks.all, models.adoptions, models.trainings)


def _add(role: Role, wanted: Mapping[Role, tuple[str, str, Request]], tasks: Tasks) -> None:
    """Add the task that makes `role` after those that make its parents, unless it is there."""
    if role.kind == ANSWERING:
        role = Role("answers", role.label)
    if role in tasks.roles:
        return
    stage, kind, request = wanted[role]
    for parent in request.parents.values():
        _add(parent, wanted, tasks)
    tasks.add(stage, kind, request)


def _index(run: Run, data: Data) -> dict[str, Any]:
    """Return what readers and studies need to find their way from names to artifacts."""
    experiment = run.experiment
    titles = {
        # Pairs, since stored JSON sorts its keys and readers want the file's order.
        name: [
            [label, spec.title]
            for section in sections
            for label, spec in experiment.section(section).items()
        ]
        for name, sections in index_kind.labelled().items()
    }
    return {
        "name": run.name,
        "title": run.title,
        "experiment": experiment.name,
        "experiment_title": experiment.title,
        "dataset_label": run.label,
        "class_names": list(data.class_names),
        "notes": [*data.notes, *_notes(run, data)],
        **titles,
    }


def _notes(run: Run, data: Data) -> list[str]:
    """Return what kinds have to say of the images that the file asks for.

    Raises:
        UsageError: they are too few.
    """
    found = list(selection.notes_on(run.experiment.selection, data))
    for kind in kinds.having("image_notes").values():
        found += kind.image_notes(run.section(kind.SECTION.name), data)
    return found


def _needed_for(stage: str, tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks of a stage with all that they need, in their order."""
    by_name = {task.name: task for task in tasks}
    wanted = [task.name for task in tasks if task.stage == stage]
    kept: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name not in kept:
            kept.add(name)
            wanted += [*by_name[name].needs, *by_name[name].gathers]
    return [task for task in tasks if task.name in kept]

"""Trying networks before anything is trained, so that a broken one is told at once.

Each job tries its own network again before its first step (`engine.jobs.model`); here all of an
experiment are tried before the first job, which may take hours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine import canonical
from engine.artifacts import Artifact, ArtifactStore, Recipe
from engine.datasets import evenly
from engine.errors import UsageError
from engine.execution.executor import Task
from engine.experiments.tasks import Training
from engine.jobs import model


def refused_first(
    tasks: Sequence[Task], trainings: Sequence[Training], store: ArtifactStore
) -> list[Task]:
    """Return the tasks; trainings whose network cannot be used stand first, and fail at once.

    Everything that does not need them goes on. One network is tried for all trainings of an
    architecture on a dataset, and none where one of them is finished: it was tried then.

    Args:
        tasks: what is to be run.
        trainings: all of the experiment; those that are not among the tasks are left alone.
        store: where finished trainings are.
    """
    names = {task.name for task in tasks}
    groups: dict[str, list[Training]] = {}
    for each in trainings:
        if each.task.name in names:
            key = canonical.sha256([each.architecture.config(), each.data.sha256])
            groups.setdefault(key, []).append(each)
    failing: dict[str, Task] = {}
    for group in groups.values():
        if not any(_finished(each, store) for each in group):
            failing |= _tried(group)
    return [*failing.values(), *(task for task in tasks if task.name not in failing)]


def _finished(training: Training, store: ArtifactStore) -> bool:
    """Say whether a training is there, as far as it can be told before its parents are."""
    return not training.task.needs and store.find(training.task.recipe({})) is not None


def _tried(group: Sequence[Training]) -> dict[str, Task]:
    """Return the tasks, by name, of those trainings whose network cannot be used."""
    first = group[0]
    try:
        network, _ = model.fresh(first.architecture, first.data, first.seed)
    except UsageError as error:
        # The same sentence for all of them is one failure.
        said = f"{first.task.name}: {error}"
        return {each.task.name: _failing(each.task, said) for each in group}
    failing = {}
    images = evenly(first.data.train, 2).images
    for each in group:
        try:
            each.defense.check(network, images)
        except UsageError as error:
            failing[each.task.name] = _failing(each.task, f"{each.task.name}: {error}")
    return failing


def _failing(task: Task, said: str) -> Task:
    """Return the task as one that fails as soon as it is begun."""

    def recipe(_made: Mapping[str, Artifact]) -> Recipe:
        raise UsageError(said)

    return replace(task, recipe=recipe)

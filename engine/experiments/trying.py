"""Trying networks before anything is trained, so that a broken one is told at once.

Each job tries its own network again before its first step (`engine.jobs.model`); here all of an
experiment are tried before the first job, which may take hours.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine import canonical
from engine.artifacts import ArtifactStore
from engine.datasets import evenly
from engine.errors import UsageError
from engine.execution.executor import Made, Task
from engine.experiments.tasks import Training, failing
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
    refused: dict[str, Task] = {}
    for group in groups.values():
        if not any(_finished(each, store) for each in group):
            refused |= _tried(group)
    return [*refused.values(), *(task for task in tasks if task.name not in refused)]


def _finished(training: Training, store: ArtifactStore) -> bool:
    """Say whether a training is there, as far as it can be told before its parents are."""
    return not training.task.needs and store.find(training.task.recipe(Made())) is not None


def _tried(group: Sequence[Training]) -> dict[str, Task]:
    """Return the tasks, by name, of those trainings whose network cannot be used."""
    first = group[0]
    try:
        network, _ = model.fresh(first.architecture, first.data, first.seed)
    except UsageError as error:
        # The same sentence for all of them is one failure.
        same = UsageError(f"{first.task.name}: {error}")
        return {each.task.name: failing(each.task, same) for each in group}
    refused = {}
    images = evenly(first.data.train, 2).images
    for each in group:
        try:
            each.defense.check(network, images)
        except UsageError as error:
            named = UsageError(f"{each.task.name}: {error}")
            refused[each.task.name] = failing(each.task, named)
    return refused

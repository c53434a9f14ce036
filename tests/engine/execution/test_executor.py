"""What both executors share: order, reuse, and going on after a failure."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from threading import Timer

import pytest
from tiny_run import Log, workers

from engine.artifacts import ArtifactStore, Recipe, write_json
from engine.errors import PlausiblyError, UsageError
from engine.execution.executor import Executor, Task
from engine.execution.local import LocalExecutor
from engine.networks import devices


def task(name: str, *needs: str, **config) -> Task:
    return Task(
        name,
        "test",
        needs,
        lambda made: Recipe(
            "note", {"name": name, **config}, {need: made[need].as_parent() for need in needs}
        ),
    )


class Direct(Executor):
    """Makes each artifact at once, in this process; some tasks fail."""

    def __init__(self, store, **failures) -> None:
        super().__init__(store)
        self.failures = failures
        self.stopped: list[bool] = []

    def _start(self, tasks) -> None:
        pass

    def _submit(self, task, recipe, observer):
        future: Future[None] = Future()
        observer.started(task)
        if task.name in self.failures:
            future.set_exception(self.failures[task.name])
        else:
            with self._store.draft(recipe) as draft:
                write_json(draft / "note.json", recipe.config)
            future.set_result(None)
        return future

    def _stop(self, *, now) -> None:
        self.stopped.append(now)


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "artifacts")


TREE = [task("a"), task("b", "a"), task("c", "b"), task("x"), task("y", "x"), task("all", "c", "y")]


def test_everything_is_made_in_the_order_of_need_and_then_found(store):
    log = Log()
    made = Direct(store).run(list(reversed(TREE)), log)
    assert set(made) == set(log.made) == {each.name for each in TREE}
    assert all(log.made.index(n) < log.made.index(t.name) for t in TREE for n in t.needs)
    again = Log()
    Direct(store).run(TREE, again)
    assert again.made == []
    assert len(again.reused) == len(TREE)


class Later(Direct):
    """As `Direct`, but what it makes takes until somebody waits for it."""

    def __init__(self, store, **failures) -> None:
        super().__init__(store, **failures)
        self.submitted: list[str] = []

    def _submit(self, task, recipe, observer):
        self.submitted.append(task.name)
        future: Future[None] = Future()
        Timer(
            0.05, lambda: self._end(super(Later, self)._submit(task, recipe, observer), future)
        ).start()
        return future

    def _end(self, made, future) -> None:
        error = made.exception()
        future.set_result(None) if error is None else future.set_exception(error)


def test_what_two_tasks_want_is_made_once(store):
    twins = [replace(task("same"), name=name) for name in ("one", "two")]
    log, executor = Log(), Later(store)
    made = executor.run([*twins, task("after", "two")], log)
    assert executor.submitted == ["one", "after"]
    assert (log.made, log.reused) == (["one", "after"], ["two"])
    assert made["one"].key == made["two"].key
    others = [*(replace(task("other"), name=name) for name in ("one", "two")), task("last", "two")]
    with pytest.raises(PlausiblyError, match=r"^broken; 2 tasks that needed it given up$"):
        Later(store, one=PlausiblyError("broken")).run(others, Log())


def test_what_does_not_need_a_failed_task_still_runs(store):
    log = Log()
    executor = Direct(store, b=PlausiblyError("b: broken"))
    with pytest.raises(PlausiblyError, match=r"^b: broken; 2 tasks that needed it given up$"):
        executor.run(TREE, log)
    assert set(log.made) == {"a", "x", "y"}
    assert log.failures == ["b"]
    assert executor.stopped == [False]


def test_every_failure_is_listed_with_the_first_ones_code(store):
    executor = Direct(store, a=UsageError("a: no such thing"), y=PlausiblyError("y: broken"))
    wanted = (
        "2 tasks failed and 3 tasks that needed them given up:\n  a: no such thing\n  y: broken"
    )
    with pytest.raises(PlausiblyError) as caught:
        executor.run(TREE, Log())
    assert str(caught.value) == wanted
    assert caught.value.exit_code == 2


def test_a_damaged_artifact_is_a_failure_like_others(store):
    Direct(store).run(TREE[:1], Log())
    (damaged,) = store.root.glob("note/*/manifest.json")
    damaged.write_text("nonsense")
    log = Log()
    with pytest.raises(PlausiblyError, match=r"damaged.*; 3 tasks that needed it given up"):
        Direct(store).run(TREE, log)
    assert set(log.made) == {"x", "y"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError()], ids=repr)
def test_anything_else_stops_all_at_once(store, error):
    executor = Direct(store, a=error)
    with pytest.raises(type(error)):
        executor.run(TREE, Log())
    assert executor.stopped == [True]


def test_tasks_that_need_each_other_are_said(store):
    with pytest.raises(ValueError, match="can never start: p, q"):
        Direct(store).run([task("p", "q"), task("q", "p")], Log())


def test_worker_processes_go_on_after_failures_too(store):
    """No job makes notes: each task fails in its worker, and none takes the others along."""
    log = Log()
    with pytest.raises(PlausiblyError) as caught:
        LocalExecutor(store, workers=1).run([task("a"), task("b"), task("c", "a")], log)
    assert "2 tasks failed and 1 task that needed them given up:" in str(caught.value)
    assert sorted(log.failures) == ["a", "b"]
    assert workers() == []


def test_workers_take_the_devices_in_turn(store):
    assert LocalExecutor(store, devices=("cuda:0", "cuda:1"))._devices == ["cuda:0", "cuda:1"]
    assert LocalExecutor(store, 3, ("cuda:0", "cuda:1"))._devices == ["cuda:0", "cuda:1", "cuda:0"]
    assert LocalExecutor(store, 2)._devices == ["cpu", "cpu"]
    # With a budget there are no more processes than the machine's memory holds.
    assert LocalExecutor(store, memory_budget=2**60)._devices == ["cpu"]
    assert LocalExecutor(store, 2, memory_budget=2**60)._devices == ["cpu", "cpu"]
    assert (
        len(LocalExecutor(store, devices=("cuda:0", "cuda:1"), memory_budget=2**60)._devices) == 2
    )


def test_devices(monkeypatch):
    import torch

    assert devices.resolve("cpu") == ["cpu"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices.resolve("auto") == devices.resolve("cuda") == ["cuda:0", "cuda:1"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert devices.resolve("auto") == ["cpu"]
    with pytest.raises(UsageError, match=r"device cuda cannot be used: .*use cpu or auto"):
        devices.resolve("cuda")


def test_with_one_place_the_beginning_of_the_list_ends_first(store):
    class OnePlace(Direct):
        def _places(self, tasks) -> int:
            return 1

    # What a finished task unlocks comes before what stands behind it in the list.
    log = Log()
    OnePlace(store).run([task("a1"), task("a2", "a1"), task("b1"), task("b2", "b1")], log)
    assert log.made == ["a1", "a2", "b1", "b2"]

"""What both executors share: order, reuse, and going on after a failure."""

from __future__ import annotations

import errno
from concurrent.futures import Future
from dataclasses import replace
from threading import Timer

import pytest
from tiny_run import Log, order_of, workers

from engine.artifacts import ArtifactStore, Recipe, write_json
from engine.errors import MachineError, PlausiblyError, UsageError
from engine.execution.executor import Executor, Task, TasksFailedError, raise_if_failed
from engine.execution.local import LocalExecutor, death
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


def gathering(name: str, *gathers: str, needs: tuple[str, ...] = ()) -> Task:
    """A task that notes what was lost, and why."""

    def recipe(made):
        there = {each: made[each].as_parent() for each in (*needs, *gathers) if each in made}
        lost = {each: made.lost[each] for each in gathers if each not in made}
        return Recipe("note", {"name": name, "lost": lost}, there)

    return Task(name, "test", needs, recipe, gathers=gathers)


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


def test_lines_to_be_copied_are_followed_by_nothing(store):
    executor = Direct(store, b=PlausiblyError("b: do this:\n  save(x)"))
    with pytest.raises(PlausiblyError, match=r"save\(x\)\n2 tasks that needed it given up$"):
        executor.run(TREE, Log())


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


def test_what_gathers_goes_on_without_what_failed_and_knows_why(store):
    """Directly failed, and given up since something before it failed: one sentence for both."""
    tasks = [*TREE[:5], gathering("some", "a", "b", "c", "y"), task("after", "some")]
    log = Log()
    with pytest.raises(TasksFailedError, match=r"^b: broken; 1 task that") as caught:
        Direct(store, b=PlausiblyError("b: broken")).run(tasks, log)
    made = caught.value.made
    assert list(made) == ["a", "x", "y", "some", "after"]
    assert made["some"].json("note.json")["lost"] == {"b": "b: broken", "c": "b: broken"}
    assert set(made["some"].recipe.parents) == {"a", "y"}
    assert [str(each) for each in caught.value.failures] == ["b: broken"]

    mended = Direct(store).run(tasks, Log())
    assert set(mended["some"].recipe.parents) == {"a", "b", "c", "y"}
    assert mended["some"].key != made["some"].key


def test_what_gathers_waits_for_all_that_may_come(store):
    log = Log()
    Direct(store).run([gathering("some", "a", "c"), *TREE[:3]], log)
    assert log.made[-1] == "some"


def test_with_nothing_to_gather_or_without_what_it_needs_it_is_given_up(store):
    tasks = [*TREE[:5], gathering("nothing", "b", "c"), gathering("needy", "a", needs=("c",))]
    log = Log()
    with pytest.raises(PlausiblyError, match=r"; 3 tasks that needed it given up$"):
        Direct(store, b=PlausiblyError("b: broken")).run(tasks, log)
    assert set(log.made) == {"a", "x", "y"}


def test_what_the_machine_did_is_no_reason_to_go_on_without(store):
    """The next run makes it: nothing is stored as if it could not be had."""
    tasks = [*TREE[:5], gathering("some", "a", "c"), gathering("others", "x", "y")]
    log = Log()
    with pytest.raises(PlausiblyError, match=r"disk is full; 2 tasks that needed it given up$"):
        Direct(store, b=MachineError("b: the disk is full")).run(tasks, log)
    assert set(log.made) == {"a", "x", "y", "others"}


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


def test_a_worker_that_was_killed_is_no_fault_of_what_it_computed():
    for code in (-9, -15):
        killed = death(task("it"), code)
        assert isinstance(killed, MachineError)
        assert "run again to go on" in str(killed)
    for code in (-11, -6, 1):  # a crash in a network's own library, an exit
        crashed = death(task("it"), code)
        assert not isinstance(crashed, MachineError)
        assert f"it: its worker process ended with code {code} " in str(crashed)


def test_a_worker_says_whether_the_machine_or_the_model_was_at_fault(store, monkeypatch):
    """A full disk stays one across processes, also as safetensors' library tells it."""
    from engine.execution import worker
    from engine.jobs import making

    order = order_of(store.root, Recipe("note", {}))

    def answer(error: Exception):
        def fail(*_arguments, **_options):
            with store.draft(Recipe("note", {})):
                raise error

        monkeypatch.setattr(making, "run", fail)
        return worker.compute(order, "cpu", lambda _values: None)

    full = [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
        OSError(errno.EACCES, "Permission denied", str(store.root / "note" / "file")),
    ]
    for error in full:
        with pytest.raises(MachineError, match="it: cannot write to"):
            raise_if_failed(task("it"), answer(error))
    own = [
        RuntimeError("shapes differ"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/nowhere/classes.txt"),
    ]
    for error in own:
        with pytest.raises(PlausiblyError, match=f"it: {type(error).__name__}: ") as caught:
            raise_if_failed(task("it"), answer(error))
        assert not isinstance(caught.value, MachineError)

"""Making stored artifacts again from their recipes, and comparing the two.

Each is made in a temporary folder that shows it its parents as they are stored, so nothing in the
store changes, and one that came out different is not passed on to the next.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from engine.artifacts import Artifact, ArtifactStore
from engine.errors import ArtifactError, PlausiblyError
from engine.execution.executor import Executor, Observer, Task
from engine.jobs import gone
from engine.jobs.examples import FILE as EXAMPLES
from engine.jobs.model import NOT_RECORDED, code_sha256

Outcome = Literal["same", "tolerated", "different", "failed", "skipped"]

_FROM_DATA = ("clean", "true_label")
"""Arrays of earlier examples that are copied from the dataset: no tolerance is right for them."""


@dataclass(frozen=True)
class Difference:
    """How two arrays differ.

    Attributes:
        share: of the entries that differ; 1 when shape or type do.
        largest: absolute difference; None when shape or type differ.
    """

    share: float
    largest: float | None


@dataclass(frozen=True)
class Comparison:
    """An artifact beside the one that its recipe gives now.

    Attributes:
        kind, key: of the artifact.
        outcome: "same" bits; "tolerated": some 8-bit pixels differ, not too many; "different";
            "failed": making it again did; "skipped": it cannot be made again.
        reason: why it failed or was skipped.
        pixels: of examples that differ: the 8-bit pixels, `largest` in 8-bit steps.
        files: what else differs, by file: arrays by name; none where it holds no arrays.
        environment: what was another then: package versions, processor, device, revision.
    """

    kind: str
    key: str
    outcome: Outcome
    reason: str | None = None
    pixels: Difference | None = None
    files: Mapping[str, Mapping[str, Difference]] = field(default_factory=dict)
    environment: Sequence[str] = ()

    def __str__(self) -> str:
        name = f"{self.kind}/{self.key[:12]}…"
        if self.outcome == "same":
            return f"{name}: same bits"
        parts = [self.reason] if self.reason is not None else []
        if self.pixels is not None:
            parts.append(f"8-bit pixels: {_in_words(self.pixels, ' of 255')}")
        for file, arrays in self.files.items():
            parts += [f"{file} {a}: {_in_words(found)}" for a, found in arrays.items()]
            if not arrays:
                parts.append(f"{file} differs")
        then = f" ({'; '.join(self.environment)})" if self.environment else ""
        return f"{name} {self.outcome}: {'; '.join(parts)}{then}"


def run(
    artifacts: Sequence[Artifact],
    store: ArtifactStore,
    executor: Executor,
    observer: Observer,
    *,
    tolerance: float = 0.0,
) -> list[Comparison]:
    """Make `artifacts` again and compare; return a comparison each, in their order.

    Args:
        artifacts: of `store`; it takes about as long as making them did.
        store: where they and their parents are. It is only read.
        executor: computes them.
        observer: watches it.
        tolerance: share of an examples artifact's 8-bit pixels that may differ. At 0, and for all
            other kinds always, every bit counts.
    """
    compared = {a.key: found for a in artifacts if (found := _hindrance(a, store)) is not None}
    # The longest first: it decides when the run ends.
    chosen = sorted(
        (a for a in artifacts if a.key not in compared), key=lambda a: -a.manifest["seconds"]
    )
    # Beside the store: there is room, and workers on other nodes see it.
    with tempfile.TemporaryDirectory(prefix=".regenerate-", dir=store.root.parent) as folder:
        tasks = {_task(a, store, Path(folder) / a.key): a for a in chosen}
        watching = _Comparing(observer, tasks, tolerance)
        try:
            executor.run(list(tasks), watching)
        except PlausiblyError:
            # What failed is among the comparisons, unless nothing could even begin.
            if len(watching.compared) < len(chosen):
                raise
    compared |= watching.compared
    return [_noted(compared[a.key], a, store) for a in artifacts]


def _noted(comparison: Comparison, artifact: Artifact, store: ArtifactStore) -> Comparison:
    """Return what was found, with what nobody can know of the code then, where that may be why."""
    if comparison.outcome not in ("tolerated", "different"):
        return comparison
    models = [store.parent(p) for p in artifact.recipe.parents.values() if p.kind == "model"]
    models += [artifact] if artifact.kind == "model" else []
    if all(code_sha256(each) != NOT_RECORDED for each in models):
        return comparison
    said = "the code of its network was not recorded then"
    return replace(comparison, environment=(*comparison.environment, said))


def _hindrance(artifact: Artifact, store: ArtifactStore) -> Comparison | None:
    """Return why `artifact` cannot be made again, if so."""
    if artifact.kind == "model" and artifact.recipe.config["training"] is None:
        reason = "a network of one's own, which was not trained here"
        return Comparison(artifact.kind, artifact.key, "skipped", reason)
    if artifact.kind == "map_file":
        reason = "maps of one's own, which were not made here"
        return Comparison(artifact.kind, artifact.key, "skipped", reason)
    not_again = gone(artifact.recipe)
    if not_again is not None:
        return Comparison(artifact.kind, artifact.key, "skipped", not_again)
    for role, parent in artifact.recipe.parents.items():
        name = f"its {role}, {parent.kind}/{parent.key[:12]}…,"
        try:
            found = store.get(parent.kind, parent.key)
        except ArtifactError:
            return Comparison(artifact.kind, artifact.key, "skipped", f"{name} is not in the store")
        if found.content_sha256 != parent.content_sha256:
            reason = f"{name} is not what it was made from"
            return Comparison(artifact.kind, artifact.key, "failed", reason)
    return None


def _task(artifact: Artifact, store: ArtifactStore, folder: Path) -> Task:
    """Return the task that makes `artifact` again in `folder`, where its parents are shown."""
    recipe = artifact.recipe
    for parent in recipe.parents.values():
        link = folder / parent.kind / parent.key
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(store.root.resolve() / parent.kind / parent.key)
    name = f"{artifact.kind} {artifact.key[:12]}"
    return Task(name, artifact.kind, (), lambda _: recipe, ArtifactStore(folder))


class _Comparing:
    """Compares what was made with its original, and removes it; tells another observer too."""

    def __init__(
        self, observer: Observer, originals: Mapping[Task, Artifact], tolerance: float
    ) -> None:
        self.compared: dict[str, Comparison] = {}
        self._observer = observer
        self._originals = originals
        self._tolerance = tolerance

    def started(self, task: Task) -> None:
        self._observer.started(task)

    def progressed(self, task: Task, values: Mapping[str, Any]) -> None:
        self._observer.progressed(task, values)

    def finished(self, task: Task, artifact: Artifact, *, reused: bool) -> None:
        original = self._originals[task]
        self.compared[original.key] = compare(original, artifact, self._tolerance)
        assert task.store is not None
        shutil.rmtree(task.store.root)
        self._observer.finished(task, artifact, reused=reused)

    def failed(self, task: Task, error: PlausiblyError) -> None:
        original = self._originals[task]
        failure = Comparison(original.kind, original.key, "failed", str(error))
        self.compared[original.key] = failure
        self._observer.failed(task, error)

    def noted(self, sentence: str) -> None:
        self._observer.noted(sentence)


def compare(original: Artifact, again: Artifact, tolerance: float = 0.0) -> Comparison:
    """Compare an artifact with one made from the same recipe; see `run` for the tolerance."""
    if again.content_sha256 == original.content_sha256:
        return Comparison(original.kind, original.key, "same")
    changed = {
        name: (_arrays(original, name), _arrays(again, name))
        for name in sorted({*original.manifest["files"], *again.manifest["files"]})
        if original.manifest["files"].get(name) != again.manifest["files"].get(name)
    }
    if all(_are_one(then, now) for then, now in changed.values()):
        return Comparison(original.kind, original.key, "same")
    files = {name: _differences(then, now) for name, (then, now) in changed.items()}
    pixels = None
    outcome: Outcome = "different"
    if original.kind == "examples":
        others = files.pop(EXAMPLES, {})
        pixels = others.pop("pixels", Difference(0.0, 0.0))
        comparable = not files and all(
            found.largest is not None and array not in _FROM_DATA for array, found in others.items()
        )
        if comparable and 0 < tolerance >= pixels.share:
            outcome = "tolerated"
        if others:
            files[EXAMPLES] = others
    return Comparison(
        original.kind,
        original.key,
        outcome,
        pixels=pixels,
        files=files,
        environment=_changes(original.manifest["environment"], again.manifest["environment"]),
    )


def _arrays(artifact: Artifact, name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file; none when it is missing or of another type."""
    if name not in artifact.manifest["files"]:
        return {}
    if name.endswith(".npz"):
        return artifact.arrays(name)
    if name.endswith(".npy"):
        return {"values": np.load(io.BytesIO(artifact.read(name)), allow_pickle=False)}
    if name.endswith(".safetensors"):
        return load(artifact.read(name))
    return {}


def _are_one(then: Mapping[str, NDArray[Any]], now: Mapping[str, NDArray[Any]]) -> bool:
    """Say whether a file has the same arrays, bit for bit, in whatever order.

    Manifests of earlier runs have not kept the order of models, in which ladders are written.
    """
    return (
        bool(then)
        and then.keys() == now.keys()
        and all(
            (a.dtype, a.shape, a.tobytes())
            == (now[name].dtype, now[name].shape, now[name].tobytes())
            for name, a in then.items()
        )
    )


def _differences(
    then: Mapping[str, NDArray[Any]], now: Mapping[str, NDArray[Any]]
) -> dict[str, Difference]:
    """Return how arrays differ, by name; those that do not are left out."""
    found = {}
    for name in sorted({*then, *now}):
        a, b = then.get(name), now.get(name)
        if a is None or b is None or a.shape != b.shape or a.dtype != b.dtype:
            found[name] = Difference(1.0, None)
            continue
        differ = ~((a == b) | ((a != a) & (b != b)))  # NaN in both is no difference
        if differ.any():
            distance = np.abs(a[differ].astype(np.float64) - b[differ].astype(np.float64))
            found[name] = Difference(float(differ.mean()), float(distance.max()))
    return found


def _in_words(difference: Difference, unit: str = "") -> str:
    if difference.largest is None:
        return "missing, or of another shape or type"
    if difference.share == 0:
        return "equal"
    return f"a share of {difference.share:.3g} differs, by at most {difference.largest:.3g}{unit}"


def _changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what was another when the original was made, as far as its manifest says."""
    flat_then, flat_now = ({**each, **each["packages"]} for each in (then, now))
    return tuple(
        f"{what} {flat_then[what]} then, {flat_now[what]} now"
        for what in sorted(flat_then)
        if what in flat_now and what != "packages" and flat_then[what] != flat_now[what]
    )

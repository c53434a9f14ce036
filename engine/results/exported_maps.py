"""Maps of finished runs for other programs: an NPZ per model, method and image kind, one JSON.

The folder appears whole or not at all. Pictures and maps are written some rows at a time, so that
memory does not grow with their number.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifacts import Role, replacing
from engine.errors import PlausiblyError, UsageError
from engine.jobs.examples import CLEAN
from engine.jobs.maps import Maps
from engine.jobs.model import WEIGHTS, code_sha256
from engine.metrics import NULLS
from engine.rendering import to_images
from engine.results.reading import Results

LISTING = "maps.json"
SCHEMA = 1
_ROWS = 64
_RUNS_OWN = ("dataset", "seed")


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: where.
        files: how many NPZ files.
        absent: a sentence for each model and method without maps: refused, or failed.
    """

    folder: Path
    files: int
    absent: tuple[str, ...]


def require_place(out: Path, *, replace: bool) -> None:
    """Refuse a place where maps cannot go, or would take something else's.

    Raises:
        UsageError: it is a file, its parent is missing, it holds maps and `replace` is not said, or
            it holds something else.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: a file is in the way; name a folder")
    parent = out.resolve().parent
    if not parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {parent}; make it first")
    if out.exists() and any(out.iterdir()):
        if not _is_export(out):
            raise UsageError(
                f"--out {out}: the folder holds something that is no export of maps; name another"
            )
        if not replace:
            raise UsageError(
                f"--out {out}: there is an export of maps already; --replace replaces it"
            )
    if not os.access(parent, os.W_OK):
        raise PlausiblyError(f"cannot write to {parent}: Permission denied; name another --out")


def _is_export(folder: Path) -> bool:
    """Say whether a folder holds what an export wrote, and nothing else."""
    try:
        listing = json.loads((folder / LISTING).read_bytes())
        held = {path.name for path in folder.iterdir()} - {LISTING}
        return held <= {run["run"] for run in listing["runs"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False


def export(runs: Sequence[Results], out: Path, *, replace: bool = False) -> Exported:
    """Write the maps of runs into the folder `out`.

    An NPZ file `RUN/MODEL/METHOD/IMAGE.npz` holds, of N pictures: `x_batch` float32 (N, C, H, W) in
    [0, 1]; `y_batch` int64 (N,), the class that is explained, where none is the true label;
    `a_batch` float32 (N, C or 1, H, W), the signed maps at the size of the pictures; `native` as
    the method has them, where that is smaller; `true_label`, `predicted`, `class` and `against`
    int64 (N,), -1 for none; `index` (N,) of the test images and `image_id` (N,), the SHA-256 of
    their clean pixels; what else is known of each map, `delta` and `steps`; and `metric_NAME`
    float64 (N,), what a metric says of each, NaN where it has no number.

    Raises:
        UsageError: it cannot go there; see `require_place`.
        PlausiblyError: it cannot be written, or an artifact is damaged.
    """
    require_place(out, replace=replace)
    try:
        with replacing(out.resolve()) as draft:
            listing = {"schema": SCHEMA, "runs": [_run(run, draft) for run in runs]}
            text = json.dumps(listing, indent=1, ensure_ascii=False, allow_nan=False)
            (draft / LISTING).write_text(text)
    except OSError as error:
        raise PlausiblyError(
            f"cannot write the maps to {out}: {error.strerror or error}; free some space or name "
            "another --out"
        ) from None
    listed: Any = listing["runs"]
    absent = [each["says"] for run in listed for each in run["absent"]]
    return Exported(out, sum(len(run["maps"]) for run in listed), tuple(absent))


def _run(run: Results, draft: Path) -> dict[str, Any]:
    """Write the maps of one run; return what is said of them."""
    index = run.index
    written: list[dict[str, Any]] = []
    models: dict[str, Any] = {}
    for model in run.whole_models:
        # Anew, since what was read is kept: examples of all models at once would be too much.
        of_model = Results(run.store, index)
        models[model] = _model(of_model, model)
        for method in run.config["saliency"]:
            if not of_model.has(Role("maps", model, method)):
                continue
            maps = of_model.maps(model, method)
            for image in maps.images:
                path = Path(run.name, model, method, f"{image}.npz")
                (draft / path).parent.mkdir(parents=True, exist_ok=True)
                numbers, measured = _measured(of_model, model, method, image)
                shapes = _write(draft / path, of_model, model, image, maps, numbers)
                said = _said(of_model, method, image, maps)
                file = {"file": path.as_posix(), "sha256": _sha256(draft / path), **shapes}
                written.append({**file, "model": model, **said, **measured})
    return {
        "run": run.name,
        "title": run.config["title"],
        "experiment": run.config.get("experiment", run.name),
        "key": index.key,
        "content_sha256": index.content_sha256,
        "created": index.manifest["created"],
        "seed": run.config["seed"],
        "dataset": run.config["dataset"],
        "data_sha256": run.data_sha256,
        "class_names": run.class_names,
        "models": models,
        "maps": written,
        "absent": list(_absent(run)),
    }


def _model(run: Results, label: str) -> dict[str, Any]:
    model = run.model(label)
    config = {k: v for k, v in model.recipe.config.items() if k not in _RUNS_OWN}
    return {
        "title": run.config["defenses"][label],
        "key": model.key,
        "content_sha256": model.content_sha256,
        "weights_sha256": model.sha256(WEIGHTS),
        "code_sha256": code_sha256(model),
        "config": config,
        "notes": list(run.notes(label)),
    }


def _said(run: Results, method: str, image: str, maps: Maps) -> dict[str, Any]:
    """Return what has to be known of maps to defend them."""
    recipe = maps.artifact.recipe
    component = recipe.config["saliency"]
    facts = maps.facts(image)
    of_a_class = bool((facts.get("class", np.array([-1])) >= 0).any())
    return {
        "method": {
            "label": method,
            "title": run.config["saliency"][method],
            "name": component["name"],
            "params": {key: component[key] for key in component if key != "name"},
            "versions": recipe.versions,
        },
        "image": image,
        "quantity": maps.quantity,
        "explains": {
            "rule": recipe.config.get("explains"),
            "against": recipe.config.get("against"),
            "in_words": maps.about.explains if of_a_class else None,
            "a_class": of_a_class,
        },
        "baseline": maps.about.baseline,
        "seed": recipe.config.get("seed"),
        "upsampling": maps.about.upsampling,
        "fit": maps.fit.to_json(),
        "delta": _delta(facts.get("delta"), int(maps.marked(image).sum())),
        "blank": int(maps.summary(image).blank.sum()),
        "artifact": {"key": maps.artifact.key, "content_sha256": maps.artifact.content_sha256},
    }


def _delta(delta: NDArray[Any] | None, marked: int) -> dict[str, Any] | None:
    """Return by how much maps do not add up to what they explain; None of methods without."""
    if delta is None:
        return None
    known = delta[np.isfinite(delta)]
    middle, largest = (float(np.median(known)), float(known.max())) if len(known) else (None, None)
    return {"median": middle, "largest": largest, "marked": marked}


def _absent(run: Results) -> Iterator[dict[str, Any]]:
    """Yield models and methods without maps, and why."""
    for model, title in run.config["defenses"].items():
        for method, named in run.config["saliency"].items():
            role = Role("maps", model, method)
            what = f"{run.name}: no maps “{named}” of “{title}”"
            if role in run.missing:
                said = f"{what}: {run.missing[role]}"
                yield {"model": model, "method": method, "fit": None, "says": said}
            elif run.has(role) and (fit := run.maps(model, method).fit).verdict == "refused":
                reasons = "; ".join(reason.says for reason in fit.reasons if reason.refuses)
                said = f"{what}: {reasons}"
                yield {"model": model, "method": method, "fit": fit.to_json(), "says": said}


def _measured(
    run: Results, model: str, method: str, image: str
) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
    """Return the numbers of each metric (N,), NaN where there is none, and what is said of them."""
    role = Role("map_metrics", model, method)
    if role in run.missing:
        return {}, {"metrics": None, "metrics_failed": run.missing[role]}
    if not run.has(role) or image not in (found := run.map_metrics(model, method)).images:
        return {}, {"metrics": None}
    index = run.maps(model, method).indices(image)
    rows = np.searchsorted(index, found.indices(image))
    arrays, said = {}, {}
    for metric in found.metrics:
        values, spec = found.values(metric, image), found.spec(metric)
        arrays[f"metric_{metric}"] = np.full(len(index), np.nan)
        arrays[f"metric_{metric}"][rows] = values
        said[metric] = {
            "sign": spec.sign,
            "direction": spec.direction,
            "says": spec.says,
            "config": spec.config(),
            **_mean(values),
            "nulls": {
                null: _mean(found.null(metric, image, null)[np.isfinite(values)]) for null in NULLS
            },
        }
    return arrays, {"metrics": said}


def _mean(values: NDArray[np.float64]) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    return {"mean": float(known.mean()) if len(known) else None, "n": len(known)}


def _write(
    path: Path,
    run: Results,
    model: str,
    image: str,
    maps: Maps,
    numbers: Mapping[str, NDArray[np.float64]],
) -> dict[str, Any]:
    """Write the NPZ of one model, method and image kind; return its shapes."""
    index = maps.indices(image)
    labels = run.source.labels[index]
    if image == CLEAN:
        pixels, rows, answers = run.source.pixels, index, run.answers(model).label[index]
    else:
        made = run.examples(model, image)
        rows = np.array([made.row(int(each)) for each in index], np.int64)
        pixels, answers = made.pixels, made.label[rows]
    facts = maps.facts(image)
    nothing = np.full(len(index), -1, np.int64)
    classes = facts.get("class", nothing).astype(np.int64)
    small = {
        "y_batch": np.where(classes < 0, labels, classes).astype(np.int64),
        "true_label": labels.astype(np.int64),
        "predicted": answers.astype(np.int64),
        **facts,
        **numbers,
        "class": classes,
        "against": facts.get("against", nothing).astype(np.int64),
        "index": index.astype(np.int64),
        "image_id": np.array([run.source.image_ids[each] for each in index]),
    }
    native = maps.native(image, int(index[0])).shape
    whole = (native[0], *pixels.shape[2:])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        pictures = (to_images(pixels[part]) for part in _parts(rows))
        _stream(file, "x_batch", (len(index), *pixels.shape[1:]), pictures)
        drawn = (np.stack([maps.map(image, int(i)) for i in part]) for part in _parts(index))
        _stream(file, "a_batch", (len(index), *whole), drawn)
        if native != whole:
            own = (np.stack([maps.native(image, int(i)) for i in part]) for part in _parts(index))
            _stream(file, "native", (len(index), *native), own)
        for name, array in small.items():
            with file.open(f"{name}.npy", "w") as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
    shape = [len(index), *whole]
    return {"images": len(index), "shape": shape, "native_shape": [len(index), *native]}


def _parts(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(rows), _ROWS):
        yield rows[start : start + _ROWS]


def _stream(
    file: zipfile.ZipFile,
    name: str,
    shape: tuple[int, ...],
    parts: Iterator[NDArray[np.float32]],
) -> None:
    """Write a float32 array of `shape` whose rows come in parts."""
    header: Mapping[str, Any] = {"descr": "<f4", "fortran_order": False, "shape": shape}
    written = 0
    with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array_header_1_0(entry, dict(header))
        for part in parts:
            data = np.ascontiguousarray(part, "<f4").tobytes()
            entry.write(data)
            written += len(data)
    if written != 4 * math.prod(shape):
        raise PlausiblyError(f"{file.filename}: {name} has {written} bytes and not that of {shape}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Reading stored saliency maps: how long one takes, and the memory of a process that browses.

    .venv/bin/python benchmarks/reading_maps.py

100 000 maps of 28x28 and of 32x32x3 are written as a job writes them, in two ways: ten artifacts of
10 000, which is what one method and image kind gives for the test images of MNIST or CIFAR-10, and
all in a single artifact, which is more than any of the datasets asks for. Values are random; of one
artifact the others are copies under other keys, since reading does not look at values.

Two processes of their own, which import no torch, then read. One browses at random: an artifact is
opened when it is first looked at and kept, each map is hashed as always, and each read is timed.
The other opens one artifact anew for each of some maps: file by file, from nothing but its key.
What is imported is left out of Python's collections of garbage, one of which takes 15 to 20 ms
whatever is read. With `--cold` the files are first dropped from the kernel's cache, as far as it
lets them go.

Times are those of the processor, since what others do on the machine is no part of a read, and by
the clock. Memory is what the process itself holds (`Anonymous` of `/proc/self/smaps_rollup`): pages
of files that are mapped belong to the kernel's cache, and go when they are needed.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.artifacts import ArtifactStore, Recipe
from engine.jobs import maps
from engine.jobs.maps import About, Maps
from engine.saliency import Attribution

TOTAL = 100_000
SHAPES = {"28x28": (1, 28, 28), "32x32x3": (3, 32, 32)}
WAYS = {"ten of 10 000": 10, "one of 100 000": 1}
MOST_MS, MOST_BYTES = 5.0, 100e6


def recipe(number: int) -> Recipe:
    config = {"saliency": {"name": "input_gradient"}, "explains": "true_label", "number": number}
    return Recipe("maps", config, versions={"maps": maps.VERSION})


def written(root: Path, shape: tuple[int, ...], artifacts: int) -> None:
    """Write all maps, in so many artifacts."""
    rng = np.random.default_rng(0)
    count = TOTAL // artifacts
    values = rng.standard_normal((count, *shape), np.float32)
    about = About("gradient of the logit", size=(shape[1], shape[2]))
    facts = {"class": rng.integers(0, 10, count), "against": np.full(count, -1)}
    store = ArtifactStore(root)
    for number in range(artifacts):
        with store.draft(recipe(number)) as draft:
            if number:
                first = store.get("maps", recipe(0).key).path
                for name in (maps.ABOUT, maps.SUMMARY, "clean.npy"):
                    (draft / name).write_bytes((first / name).read_bytes())
                continue
            # A subset of the test images, so that which they are is stored and read too.
            indices = {"clean": np.arange(count) + 1}
            maps.write(draft, about, [("clean", Attribution(values), facts)], indices, count + 1)


def opened(root: Path, number: int) -> Maps:
    """Return the maps of an artifact; nothing is kept of what was opened before."""
    return maps.read(ArtifactStore(root).get("maps", recipe(number).key), None)  # type: ignore[arg-type]


def reads(root: Path, artifacts: int, given: argparse.Namespace) -> Iterator[tuple[float, float]]:
    """Yield the milliseconds that each of many random reads takes: the processor's, the clock's."""
    rng = np.random.default_rng(given.seed)
    kept: dict[int, Maps] = {}
    for _ in range(given.reads):
        number, row = int(rng.integers(artifacts)), int(rng.integers(TOTAL // artifacts))
        start, processor = time.perf_counter(), time.process_time()
        if given.anew:
            kept = {}
        if number not in kept:
            kept[number] = opened(root, number)
        found = kept[number].map("clean", row + 1)
        yield 1e3 * (time.process_time() - processor), 1e3 * (time.perf_counter() - start)
        assert found.ndim == 3


def anonymous() -> int:
    """Return the bytes that this process holds itself."""
    text = Path("/proc/self/smaps_rollup").read_text()
    found = re.search(r"^Anonymous:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return 1024 * int(found[1])


def child(given: argparse.Namespace) -> dict[str, Any]:
    """Read in this process, and return what it took."""
    if given.cold:
        for path in Path(given.child).rglob("*.*"):
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    gc.collect()
    gc.freeze()
    before = anonymous()
    taken, most = [], before
    for number, each in enumerate(reads(Path(given.child), given.artifacts, given)):
        taken.append(each)
        if number % 500 == 0:
            most = max(most, anonymous())
    processor, clock = np.transpose(taken)
    return {
        "first": processor[0],
        "median": np.median(processor),
        "p99": np.quantile(processor, 0.99),
        "worst": processor.max(),
        "clock": np.median(clock),
        "clock99": np.quantile(clock, 0.99),
        "before": before,
        "anonymous": max(most, anonymous()),
        "torch": "torch" in sys.modules,
    }


def main() -> None:
    """Print a table; exit with 1 where one read in a hundred or the memory is above its bound."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reads", type=int, default=20_000)
    parser.add_argument("--opens", type=int, default=200, help="reads that open the artifact anew")
    parser.add_argument("--cold", action="store_true", help="drop files from the cache before")
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--child", help="read what lies in this folder, in this process")
    parser.add_argument("--artifacts", type=int)
    parser.add_argument("--anew", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child(given)))
        return
    print("| maps | artifacts | reads | first | median | p99 | worst | clock: median | p99 | MB |")
    print("|---|---|---|--:|--:|--:|--:|--:|--:|--:|")
    good = True
    for shape in given.shapes:
        for way, artifacts in WAYS.items():
            with tempfile.TemporaryDirectory() as folder:
                written(Path(folder), SHAPES[shape], artifacts)
                for name, more in {
                    "at random": ["--reads", given.reads],
                    "each anew": ["--reads", given.opens, "--anew"],
                }.items():
                    words = ["--child", folder, "--artifacts", artifacts, *more]
                    words += ["--cold"] if given.cold else []
                    run = subprocess.run(
                        [sys.executable, __file__, *map(str, words)],
                        check=True,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                    found = json.loads(run.stdout)
                    # Opening all in one is shown; no dataset has so many test images.
                    opens_all = artifacts == 1 and name == "each anew"
                    good = good and (opens_all or found["p99"] < MOST_MS)
                    good = good and not found["torch"]
                    good = good and found["anonymous"] < MOST_BYTES
                    keys = ("first", "median", "p99", "worst", "clock", "clock99")
                    times = " | ".join(f"{found[key]:.2f}" for key in keys)
                    print(
                        f"| {shape} | {way} | {name} | {times} "
                        f"| {found['anonymous'] / 1e6:.0f} ({found['before'] / 1e6:.0f} before) |",
                        flush=True,
                    )
    sys.exit(not good)


if __name__ == "__main__":
    main()

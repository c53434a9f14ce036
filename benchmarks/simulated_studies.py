"""Every shipped study, simulated, exported and analysed: each must have its people and its answers.

    PYTHONPATH=. .venv/bin/python benchmarks/simulated_studies.py [--people 4]

Over an experiment that took no training. Prints a line per study: how long it took, how many
ratings there are, and of each outcome how many have a value.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from lab import open_lab
from synthetic import experiment, protocols

from db import export
from engine.artifacts import ArtifactStore
from study_app import study as studies
from study_app.exclusions import judge
from study_app.outcomes import outcomes
from study_app.outcomes.scoring import score
from study_app.simulation.rater_file import DEFAULT, load
from study_app.simulation.simulating import simulate
from study_app.study import languages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=4)
    count = parser.parse_args().people
    with tempfile.TemporaryDirectory() as folder:
        store = ArtifactStore(Path(folder) / "artifacts")
        experiment(store)
        protocols(store)
        for path in sorted(studies.BUILT_IN.glob("*.yaml")):
            one(path.stem, Path(folder) / path.stem, store, count)


def one(name: str, folder: Path, store: ArtifactStore, count: int) -> None:
    """Simulate one study and say what came of it; stop where something is missing."""
    folder.mkdir()
    lab = open_lab(folder, store=store, study_name=name)
    study = studies.load(name)
    raters = load(DEFAULT, study).model_copy(
        update={"languages": dict.fromkeys(languages(study), 1.0), "inattentive": 0.1}
    )
    began = time.perf_counter()
    made = simulate(study, raters, lab.state, people=count, seed=0)
    seconds = time.perf_counter() - began
    with lab.database.read() as s:
        ratings = export.ratings(s, name, judge=judge, score=score, stage="simulated")
        exported = export.write_csv(
            lab.database, name, folder / "out", made.version.created_at,
            judge=judge, score=score, stage="simulated",
        )  # fmt: skip
    lab.database.close()
    if made.fates()["complete"] != count or not len(ratings) or exported.rows != len(ratings):
        raise SystemExit(f"{name}: {dict(made.fates())}, {len(ratings)} ratings")
    tasks = set(ratings["task"])
    held = {
        outcome.name: int(ratings[outcome.name].notna().sum())
        for outcome in outcomes().values()
        if outcome.task in tasks
    }
    empty = [outcome for outcome, n in held.items() if not n]
    found = ", ".join(f"{outcome} {n}" for outcome, n in held.items())
    print(f"{name:24} {seconds:5.1f} s {len(ratings):5} ratings: {found}", flush=True)
    if empty:
        print(f"  without a value: {', '.join(empty)}")


if __name__ == "__main__":
    main()

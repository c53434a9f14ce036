"""Every shipped study, simulated, exported and analysed: each must have its people and its answers.

    PYTHONPATH=. .venv/bin/python benchmarks/simulated_studies.py [--people 20]

Over an experiment that took no training, with a known effect: every second condition has a share of
.6, the others .35. Prints per study how long it took, how many ratings there are, of each outcome
how many have a value, how many registered outcomes and comparisons have an estimate, and how many
intervals of shares hold the truth.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from lab import open_lab
from synthetic import experiment, protocols

from db import export
from engine.artifacts import ArtifactStore
from study_app import study as studies
from study_app.analysis.findings import Findings, findings
from study_app.analysis.results_page import page
from study_app.analysis.stages import stage_view
from study_app.exclusions import judge
from study_app.outcomes import outcomes
from study_app.outcomes.scoring import score
from study_app.simulation.rater_file import DEFAULT, Raters, load
from study_app.simulation.simulating import simulate
from study_app.simulation.truth import TrueShare
from study_app.study import Study, languages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20)
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
    raters = with_an_effect(study)
    began = time.perf_counter()
    made = simulate(study, raters, lab.state, people=count, seed=0)
    seconds = time.perf_counter() - began
    with lab.database.read() as s:
        ratings = export.ratings(s, name, judge=judge, score=score, stage="simulated")
        view = stage_view(s, made.version, "simulated")
        found = findings(view, s)
        whole = len(page(found, view, s))
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
    told = ", ".join(f"{outcome} {n}" for outcome, n in held.items())
    print(f"{name:24} {seconds:5.1f} s {len(ratings):5} ratings: {told}", flush=True)
    if empty:
        print(f"  without a value: {', '.join(empty)}")
    analysed(found, made.shares, whole)


def with_an_effect(study: Study) -> Raters:
    """Return attentive people who say yes more often in every second condition."""
    raters = load(DEFAULT, study)
    asked = {question.name for c in study.conditions.values() for question in study.asked(c)}
    shares = {label: 0.6 if n % 2 else 0.35 for n, label in enumerate(study.conditions)}
    outcomes = {
        outcome.name: {"conditions": shares} for task in asked if (outcome := raters.modelled(task))
    }
    return Raters.model_validate(
        {
            **raters.model_dump(exclude_unset=True),
            "outcomes": outcomes,
            "languages": dict.fromkeys(languages(study), 1.0),
        }
    )


def analysed(found: Findings, truth: Sequence[TrueShare], whole: int) -> None:
    """Say what the analysis has; stop where a table would be empty."""
    registered = [each for each in found.outcomes if each.role != "exploratory"]
    empty = [
        each.outcome.name
        for each in registered
        if not sum(cell.answered for cell in each.estimates)
    ]
    compared = [each for each in found.contrasts if each.spec.registered]
    cells = {
        (each.outcome.name, cell.condition, cell.arm): cell.estimate
        for each in found.outcomes
        for cell in each.estimates
        if cell.estimate is not None
    }
    pairs = [
        (each.share, cells[each.outcome, each.condition, each.arm])
        for each in truth
        if (each.outcome, each.condition, each.arm) in cells
    ]
    held = sum(estimate.low <= share <= estimate.high for share, estimate in pairs)
    refused = [each.spec.of for each in compared if each.decided == "refused"]
    print(
        f"  {len(registered)} registered outcomes, {len(empty)} of them empty; {len(compared)} "
        f"registered comparisons, {len(refused)} refused; {held} of {len(pairs)} intervals hold "
        f"the truth; the page has {whole // 1000} kB",
        flush=True,
    )
    if empty or not found.outcomes:
        raise SystemExit(f"{found.study}: nothing to tell of {', '.join(empty) or 'any outcome'}")


if __name__ == "__main__":
    main()

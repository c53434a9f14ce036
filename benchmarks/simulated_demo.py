"""How often the intervals of the demo study cover the truth, over simulated people and images.

    PYTHONPATH=. .venv/bin/python benchmarks/simulated_demo.py [--runs 100] [--people 60]

Each run draws new people and new images (the deviations of both), for whom shares differ between
the demo's four kinds of mistakes; some lapse, some leave early, and who says yes more often leaves
sooner. The answers are drawn in memory, from the plans that people would get; of the first run it
is checked that those over HTTP are the same. Prints, of the intervals of *said plausible*, how many
cover the share over all people and images, and how wide they are beside 2 x 1.96 standard
deviations of the estimates.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from lab import open_lab

from db import export
from engine import results
from engine.analysis.estimates import estimates
from study_app import study as studies
from study_app.design.study_design import design
from study_app.exclusions import judge
from study_app.outcomes import outcomes
from study_app.outcomes.scoring import score
from study_app.simulation.in_memory import (
    Everything,
    TookPart,
    seed_for,
    take_part,
)
from study_app.simulation.rater_file import Raters
from study_app.simulation.simulating import simulate
from study_app.simulation.truth import Truth

OUTCOME = "said_plausible"
SHARES = {"none": 0.35, "gradient_penalty": 0.47, "adversarial_training": 0.6, "distillation": 0.2}
RATERS = Raters(
    title="Known shares",
    outcomes={OUTCOME: {"conditions": SHARES}},
    lapse=0.02,
    drop_out={"hazard": 0.004, "by_person": 0.5},
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--people", type=int, default=60)
    given = parser.parse_args()
    study = studies.load("demo")
    with tempfile.TemporaryDirectory() as folder:
        lab = open_lab(Path(folder))
        drawn = design(study, results.find(lab.state.store, study.experiment))
        every = [
            Everything(study, drawn.document, drawn.stimuli, RATERS, seed_for(run, "demo"))
            for run in range(given.runs)
        ]
        require_the_same_over_http(lab, study, drawn)
        lab.database.close()
    found = [one_run(everything, given.people) for everything in every]
    table = pd.DataFrame([row for rows in found for row in rows])
    print(f"{given.runs} runs of {given.people} people; {len(table)} intervals")
    for condition, part in table.groupby("condition", sort=False):
        print(line(str(condition), part))
    print(line("all", table))


def one_run(everything: Everything, people: int) -> list[dict[str, object]]:
    """The estimate of each kind of mistake in one simulated study, beside the truth."""
    took = list(take_part(everything, people))
    truth = Truth(RATERS, everything.seed)
    for one in took:
        truth.add(one.person, one.arm, one.plan, one.done)
    shares = {s.condition: s.share for s in truth.shares(everything.study) if s.outcome == OUTCOME}
    return [
        {
            "condition": cell.condition,
            "truth": shares[cell.condition],
            "value": cell.estimate.value,
            "low": cell.estimate.low,
            "high": cell.estimate.high,
        }
        for cell in estimates(ratings(took), outcomes()[OUTCOME])
        if cell.condition in SHARES and cell.estimate is not None
    ]


def ratings(took: Sequence[TookPart]) -> pd.DataFrame:
    """The answers to the modelled outcome as the export has them, as far as estimates read them."""
    rows = [
        {
            "participant_id": f"p{one.person.number:04d}",
            "arm": one.arm,
            "list_index": one.list_index,
            "condition": given.question.presentation.condition,
            "source_image_id": given.question.image_id,
            "presentation_id": f"{one.person.number} {given.question.index}",
            "presentation_index": given.question.index,
            "trial_index": given.question.position,
            "trial_type": "main",
            "task": given.question.trial.task,
            "timed_out": False,
            "rt_ms": given.rt_ms,
            "excluded": False,
            "exclusion_rule": None,
            OUTCOME: given.answer in given.question.yes,
        }
        for one in took
        for given in one.done.answers
        if given.question.modelled and given.question.outcome.name == OUTCOME
    ]
    return pd.DataFrame(rows).astype({OUTCOME: "boolean", "excluded": "boolean"})


def require_the_same_over_http(lab, study, drawn) -> None:
    """Stop unless people answer over HTTP what they answer in memory."""
    made = simulate(study, RATERS, lab.state, people=5, seed=0)
    seed = made.resolved_seed
    everything = Everything(study, drawn.document, drawn.stimuli, RATERS, seed)
    in_memory = sorted(
        (given.question.position, given.question.image_id, given.answer)
        for one in take_part(everything, 5)
        for given in one.done.answers
    )
    with lab.database.read() as s:
        rows = export.ratings(s, study.name, judge=judge, score=score, stage="simulated")
    columns = ["trial_index", "source_image_id", "response"]
    if sorted(rows[columns].itertuples(index=False, name=None)) != in_memory:
        raise SystemExit("over HTTP people answer something else than in memory")


def line(named: str, part: pd.DataFrame) -> str:
    covered = (part["low"] <= part["truth"]) & (part["truth"] <= part["high"])
    error = (part["value"] - part["truth"]).astype(float)
    width = float((part["high"] - part["low"]).mean()) / (2 * 1.96 * float(np.std(error)))
    return (
        f"{named:22} truth {part['truth'].mean():.3f} found {part['value'].mean():.3f} "
        f"covered {covered.mean():.3f} of {len(part)}; width {width:.2f} x 2 x 1.96 SD"
    )


if __name__ == "__main__":
    main()

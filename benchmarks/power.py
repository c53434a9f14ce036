"""Whether `plausibly study power` is right: it against brute force, and against another's table.

    PYTHONPATH=.:tests/support .venv/bin/python benchmarks/power.py --runs 1000

Brute force draws the plans of the published design person by person, makes answers from their
definition, and judges each study by `clustered.difference` (tests/support/direct_power.py). The
experiment is a made-up one: only who sees what matters. The demo study is taken, with other
contrasts; components are person 1, image 1, person x condition .3, image x condition .6.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from direct_power import presentations, shown, without_effect
from synthetic import experiment

from engine.artifacts import ArtifactStore
from study_app import study
from study_app.design import study_design
from study_app.power import Components, Losses, Range, Setting, plan_of, planned, power

DEVIATIONS = (1.0, 1.0, 0.3, 0.6)
COMPONENTS = Components(*(Range(each, each, each) for each in DEVIATIONS), source="declared")
PAIR = ("none", ["distillation"], "different")
EVERY = ("none", ["distillation", "noise"], "above_every")
OTHERS = [("gradient_penalty", ["clean"], "above"), ("adversarial_training", ["noise"], "above")]
CASES = {
    "different": [PAIR],
    "above each of two": [EVERY],
    "above each of two, in a family of three": [EVERY, *OTHERS],
    "within 12 points": [("none", ["distillation"], "equivalent")],
}


def main() -> None:
    """Print the table of docs/benchmarks.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--people", type=int, default=60)
    given = parser.parse_args()
    declared = study.load("demo")
    with tempfile.TemporaryDirectory() as folder:
        run = experiment(ArtifactStore(Path(folder)))
        document = study_design.design(declared, run).document
    table = presentations(document, given.people, seed=4)
    print(
        "| claim | true difference | direct | study power | standard errors apart | times as fast |"
    )
    print("|---|--:|--:|--:|--:|--:|")
    for name, contrasts in CASES.items():
        for effect in (0.0, 0.12):
            compare(name, contrasts, effect, table, given.people, given.runs)


def compare(name, contrasts, effect, table, people, runs):
    """Print one row."""
    declared = study.load("demo")
    plans = [plan_of(declared, *each, 0.12, "answer") for each in contrasts]
    plan = plans[0].model_copy(update={"contrasts": tuple(p.contrasts[0] for p in plans)})
    asked = declared.model_copy(update={"analysis": plan})
    every, _ = planned(asked)
    of, _, claim = contrasts[0]
    # What is equivalent has no effect: at "12 points" the claim is false.
    if (effect > 0) == (claim == "equivalent"):
        every = without_effect(every)
    size = every[0].effect
    shares = {label: 0.3 + size * (label == of) for label in declared.conditions}
    start = time.process_time()
    direct = shown(table, contrasts, shares, DEVIATIONS, runs, seed=8, margin=0.12)[0]
    middle = time.process_time()
    setting = Setting(asked, every, COMPONENTS, {"": 0.3}, Losses({}), runs)
    found = power(setting, people, asked.image_sets, ends=False)[0].power.share
    end = time.process_time()
    pooled = max((direct + found) / 2, 1 / runs)
    apart = (direct - found) / np.sqrt(2 * pooled * (1 - pooled) / runs)
    fast = (middle - start) / (end - middle)
    print(
        f"| {name} | {size:g} | {direct:.3f} | {found:.3f} | {apart:+.1f} | {fast:.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()

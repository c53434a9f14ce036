"""The job that puts one model to the ladder of attacks."""

from __future__ import annotations

from engine.artifacts import Role, write_arrays
from engine.datasets import evenly
from engine.jobs.context import Job
from engine.results import LADDER
from engine.robustness.climbing import climb


def make(job: Job) -> None:
    """Put one model to the ladder; test the others on its FGSM examples."""
    config = job.config
    arrays = climb(
        job.model(Role("source")),
        evenly(job.data().test, config["images"]),
        eps=config["eps"],
        steps=config["steps"],
        restarts=config["restarts"],
        seed=config["seed"],
        others=job.models(),
        progress=job.progress,
    )
    write_arrays(job.draft / LADDER, arrays)

"""Reading a finished experiment by defense, attack and method, without torch.

What each kind of artifact holds, and how it is read, stands in the kind's file (`engine.jobs`).
"""

from engine.artifacts import Role
from engine.jobs.answers import Answers
from engine.jobs.curve import Predictions
from engine.jobs.examples import CLEAN, Examples
from engine.jobs.grid import Grid
from engine.jobs.map_metrics import MapMetrics
from engine.jobs.maps import Maps
from engine.jobs.measures import Measures
from engine.jobs.minimum_norm import MinimumNorm
from engine.jobs.model import WEIGHTS, code_sha256, diverged
from engine.jobs.source import Source
from engine.results.naming import Failure, failures, untouched
from engine.results.reading import Results, by_dataset, doubted, everything, find, of_experiment

__all__ = [
    "CLEAN",
    "WEIGHTS",
    "Answers",
    "Examples",
    "Failure",
    "Grid",
    "MapMetrics",
    "Maps",
    "Measures",
    "MinimumNorm",
    "Predictions",
    "Results",
    "Role",
    "Source",
    "by_dataset",
    "code_sha256",
    "diverged",
    "doubted",
    "everything",
    "failures",
    "find",
    "of_experiment",
    "untouched",
]

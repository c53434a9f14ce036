"""Shares, medians and their intervals: over people, images and seeds; what may be concluded."""

from engine.statistics.bootstrap import Interval, Reduce, interval, median_interval
from engine.statistics.crossed import RESAMPLES
from engine.statistics.rates import wilson
from engine.statistics.two_way import (
    LEVEL,
    Decision,
    Estimate,
    equivalent,
    every_above,
    holm,
    mean,
    some_above,
)

__all__ = [
    "LEVEL",
    "RESAMPLES",
    "Decision",
    "Estimate",
    "Interval",
    "Reduce",
    "equivalent",
    "every_above",
    "holm",
    "interval",
    "mean",
    "median_interval",
    "some_above",
    "wilson",
]

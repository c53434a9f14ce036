"""Shares, medians and their intervals: resampled by people, images and seeds."""

from engine.statistics.bootstrap import Interval, Reduce, interval, median_interval
from engine.statistics.crossed import RESAMPLES
from engine.statistics.rates import Rate, crossed_rate, wilson

__all__ = [
    "RESAMPLES",
    "Interval",
    "Rate",
    "Reduce",
    "crossed_rate",
    "interval",
    "median_interval",
    "wilson",
]

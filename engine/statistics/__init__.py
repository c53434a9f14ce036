"""Shares, medians and their intervals: resampled by people, images and seeds."""

from engine.statistics.bootstrap import Interval, interval, median_interval
from engine.statistics.rates import Rate, crossed_rate, wilson

__all__ = ["Interval", "Rate", "crossed_rate", "interval", "median_interval", "wilson"]

"""The crossed bootstrap (Owen 2007, "The pigeonhole bootstrap"), which every interval here uses.

Two kinds of things are crossed: people or seeds are the rows of a table, images its columns. Both
are resampled, independently and with replacement; a cell counts as often as its row was drawn times
as often as its column was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
"""How often is resampled: the ends of an interval are quantiles of so many quantities."""

TAILS = (0.025, 0.975)
"""Which quantiles: an interval of 95 %."""

_CELLS = 2_000_000
"""At most so many numbers are worked on at once, whatever the size of the table."""

Counts = NDArray[Any]
"""How often each of K things was drawn, unsigned integers (R, K): one row per resample."""

Weights = NDArray[np.float64]

Table = Any
"""(S, N), a numpy array or a scipy.sparse one."""


@lru_cache(maxsize=8)
def draw(stream: int, counts: tuple[int, ...], resamples: int) -> tuple[Counts, ...]:
    """Return how often each thing is drawn in each resample, for one or more kinds of things.

    Args:
        stream: seed of the random numbers.
        counts: how many things there are of each kind, K; the kinds are drawn one after the other.
        resamples: how many rows R each result (R, K) has.
    """
    rng = np.random.default_rng(stream)
    return tuple(_multinomial(rng, count, resamples) for count in counts)


def blocks(width: int, *drawn: Counts) -> Iterator[tuple[Weights, ...]]:
    """Yield the same resamples of each of `drawn` as weights, some at a time.

    Args:
        width: how many numbers the caller keeps for one resample. It decides how many come at once.
        drawn: arrays (R, K).
    """
    resamples = len(drawn[0])
    step = max(1, _CELLS // max(width, 1))
    for start in range(0, resamples, step):
        yield tuple(each[start : start + step].astype(np.float64) for each in drawn)


def weighted_means(
    tables: Sequence[tuple[Table, Table]], rows: Weights, columns: Weights
) -> NDArray[np.float64]:
    """Return the mean of each table in each resample, (C, R); NaN where no cell of it was drawn.

    Args:
        tables: C pairs of tables (S, N): the sum of a cell's scores, and how many scores these are.
        rows: weights of the rows in each resample, (R, S).
        columns: weights of the columns, (R, N).
    """
    means = np.full((len(tables), len(rows)), np.nan)
    for mean, pair in zip(means, tables, strict=True):
        total, count = (np.einsum("sr,rs->r", table @ columns.T, rows) for table in pair)
        np.divide(total, count, out=mean, where=count > 0)
    return means


def resampled_means(
    tables: Sequence[tuple[Table, Table]], rows: Counts, columns: Counts
) -> NDArray[np.float64]:
    """Return `weighted_means` of all resamples, (C, R), in memory that the table does not decide.

    Args:
        tables: as for `weighted_means`.
        rows: what was drawn of the rows, (R, S).
        columns: what was drawn of the columns, (R, N).
    """
    width = max(rows.shape[1], columns.shape[1])
    parts = [weighted_means(tables, *weights) for weights in blocks(width, rows, columns)]
    return np.concatenate(parts, axis=1)


def _multinomial(rng: np.random.Generator, count: int, resamples: int) -> Counts:
    """Return rng's multinomial counts (R, K) in the smallest type that holds them."""
    step = max(1, _CELLS // count)
    parts = []
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        part = rng.multinomial(count, np.full(count, 1 / count), size)
        parts.append(part.astype(np.min_scalar_type(int(part.max()))))
    return np.concatenate(parts)

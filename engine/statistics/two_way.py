"""Means of a table whose rows and columns are both samples, and what may be concluded from them.

Rows are seeds (or people), columns images. Trained networks of other seeds differ, and so do other
images: an interval that counts cells as independent is far too narrow. Here both are random, as
y_si = mean + row_s + column_i + rest_si, and what is said holds for other seeds *and* other images.

- `mean`: the two-way mean with its standard error and degrees of freedom; cells may be missing.
- `every_above`, `some_above`, `equivalent`: one statement about several means.
- `holm`: the correction for several statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.05
"""How often a statement on its bound may be decided, both ways together; intervals are of 95 %."""


@dataclass(frozen=True)
class Estimate:
    """A mean over the rows and columns of a table.

    Attributes:
        value: the mean over the known cells; None without any.
        error: its standard error; 0 where all cells are equal, infinite where none is known or
            there is one cell.
        df: degrees of freedom of the error.
        rows, columns: how many have a known cell.
    """

    value: float | None
    error: float
    df: float
    rows: int
    columns: int

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return Student's interval of 1 - level, half of `level` on each side."""
        if self.value is None or self.error == inf:
            return -inf, inf
        if self.error == 0:
            return self.value, self.value
        from scipy.special import stdtrit

        half = float(stdtrit(self.df, 1 - level / 2)) * self.error
        return self.value - half, self.value + half

    def p_above(self, bound: float) -> float:
        """Return the one-sided p-value of "the mean is above the bound"."""
        return self._tail(-1, bound)

    def p_below(self, bound: float) -> float:
        """Return the one-sided p-value of "the mean is below the bound"."""
        return self._tail(1, bound)

    def _tail(self, sign: int, bound: float) -> float:
        if self.value is None or self.error == inf:
            return 1.0
        distance = sign * (self.value - bound)
        if self.error == 0:
            return 0.5 if distance == 0 else float(distance > 0)
        from scipy.special import stdtr

        return float(stdtr(self.df, distance / self.error))


def mean(table: ArrayLike) -> Estimate:
    """Return the mean of a table with its two-way standard error.

    The variance of the mean is Vs + Vi - V0: of the means of rows, of the means of columns, and,
    since both contain it, of the rest. In a complete table Vs = var(row means) / S, Vi likewise and
    V0 = (mean square of the interaction) / (S N). Where cells are missing, the three components
    come from Henderson's first method (1953, "Estimation of variance and covariance components",
    Biometrics 9), which is the same in a complete table: with n known cells, n_s in row s,
    k_s = sum n_s^2 / n, and columns likewise,

        Vs = (k_s var(row) + var(rest)) / n,  Vi = (k_i var(column) + var(rest)) / n,
        V0 = var(rest) / n.

    Degrees of freedom are those of Satterthwaite (1946, "An approximate distribution of estimates
    of variance components", Biometrics Bulletin 2):

        df = V^2 / (Vs^2 / (S - 1) + Vi^2 / (N - 1) + V0^2 / ((S - 1)(N - 1))),

    where n / k_s and n / k_i stand for S and N. The variance is never below that of n independent
    cells, which a difference of estimates could be by chance.

    With one column (a number of each network) it is Student's t over the rows, with one row that
    over the columns: nothing is then known of other columns, or of other rows.

    Args:
        table: (S, N), numbers or booleans; NaN where a cell was not measured.

    Raises:
        ValueError: it has not two axes.
    """
    values = np.asarray(table, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"the table has shape {values.shape}, not (rows, columns)")
    known = np.isfinite(values)
    in_row, in_column = known.sum(1), known.sum(0)
    rows, columns, count = (int(np.count_nonzero(each)) for each in (in_row, in_column, known))
    cells = values[known]
    if count == 0:
        return Estimate(None, inf, 1.0, 0, 0)
    if count == 1:
        return Estimate(float(cells[0]), inf, 1.0, 1, 1)
    if np.all(cells == cells[0]):  # exactly, whatever the rounding of a mean
        return Estimate(float(cells[0]), 0.0, inf, rows, columns)
    value = float(cells.mean())
    independent = float(cells.var(ddof=1)) / count
    if rows == 1 or columns == 1:
        return Estimate(value, independent**0.5, count - 1.0, rows, columns)
    away = np.where(known, values - value, 0.0)
    of_rows, of_columns, of_rest = _variances(away, in_row, in_column)
    variance = float(max(of_rows + of_columns - of_rest, independent))
    s, i = (float(count**2 / (each**2).sum()) for each in (in_row, in_column))
    uncertain = of_rows**2 / (s - 1) + of_columns**2 / (i - 1) + of_rest**2 / ((s - 1) * (i - 1))
    df = min(max(float(variance**2 / uncertain), 1.0), count - 1.0)
    return Estimate(value, variance**0.5, df, rows, columns)


def _variances(
    away: NDArray[np.float64], in_row: NDArray[np.int64], in_column: NDArray[np.int64]
) -> tuple[float, float, float]:
    """Return Vs, Vi and V0 of `mean`.

    Args:
        away: cells less the mean (S, N), 0 where unknown.
        in_row: how many cells are known of each row, (S,).
        in_column: the same of each column, (N,).
    """
    count = int(in_row.sum())
    rows, columns = np.count_nonzero(in_row), np.count_nonzero(in_column)
    k_s, k_i = ((each**2).sum() / count for each in (in_row, in_column))
    total = (away**2).sum()
    between_rows, between_columns = (
        (away.sum(axis) ** 2 / np.maximum(each, 1)).sum()
        for axis, each in ((1, in_row), (0, in_column))
    )
    if count in (rows, columns):  # no row, or no column, has two cells: its share is in the rest
        if rows == columns:
            rest = total / (count - 1)
            return rest / count, rest / count, rest / count
        some, k, between = (
            (rows, k_s, between_rows) if count == columns else (columns, k_i, between_columns)
        )
        rest = (total - between) / (count - some)
        clustered = (k * (between - (some - 1) * rest) / (count - k) + rest) / count
        pair = (clustered, rest / count)
        return (*(pair if count == columns else pair[::-1]), rest / count)
    column_and_rest = (total - between_rows) / (count - rows)
    row_and_rest = (total - between_columns) / (count - columns)
    rest = (
        (count - k_s) * row_and_rest + (rows - k_i) * column_and_rest - between_rows
    ) / (count - k_s - k_i + 1)  # fmt: skip
    row, column = row_and_rest - rest, column_and_rest - rest
    return (k_s * row + rest) / count, (k_i * column + rest) / count, rest / count


@dataclass(frozen=True)
class Decision:
    """What several means say of one statement.

    Attributes:
        value: the quantity that the statement is about.
        low, high: its interval of 1 - level, corrected for how many means it was taken from. The
            p-values are at most level / 2 exactly where it lies on one side of the bound; of a mean
            that other images chose see `some_above`.
        p_above, p_below: one-sided p-values of "the quantity is above, below the bound".
        at: which of the means the quantity is.
    """

    value: float
    low: float
    high: float
    p_above: float
    p_below: float
    at: int

    @property
    def p(self) -> float:
        """The two-sided p-value: twice the smaller one, at most 1."""
        return min(1.0, 2 * min(self.p_above, self.p_below))


def every_above(
    estimates: Sequence[Estimate], bound: float = 0.0, *, level: float = LEVEL
) -> Decision:
    """Judge the smallest of several means: is every one above the bound, or some one below?

    *Every* is an intersection-union test (Berger 1982, "Multiparameter hypothesis testing and
    acceptance sampling", Technometrics 24): each mean is tested at the full level and all must
    pass, so that p_above is the largest. *Some one below* is corrected by Bonferroni: p_below is
    the smallest times their number.

    Args:
        estimates: the means, at least one, each measured.
        bound: what they are compared with.
        level: of the interval.
    """
    count = len(estimates)
    values = [_known(each) for each in estimates]
    at = int(np.argmin(values))
    return Decision(
        values[at],
        min(each.interval(level)[0] for each in estimates),
        min(each.interval(level / count)[1] for each in estimates),
        max(each.p_above(bound) for each in estimates),
        min(1.0, count * min(each.p_below(bound) for each in estimates)),
        at,
    )


def some_above(
    estimates: Sequence[Estimate],
    bound: float = 0.0,
    *,
    chosen: int | None = None,
    level: float = LEVEL,
) -> Decision:
    """Judge the largest of several means: is some one above the bound, or every one below?

    *Some one* is corrected by Bonferroni, *every one below* is an intersection-union test: see
    `every_above`. The largest of several is large by luck too. Where one was chosen by other
    images, its mean is the quantity, free of the luck of these images; its interval is corrected
    for the choice, which was made by how the same networks fared. What is decided is still whether
    some one is above, by all of them; not against the side on which the chosen one lies.

    Args:
        estimates: the means, at least one, each measured.
        bound: what they are compared with.
        chosen: which one other images chose; None takes the largest.
        level: of the interval.
    """
    count = len(estimates)
    values = [_known(each) for each in estimates]
    at = int(np.argmax(values)) if chosen is None else chosen
    above = min(1.0, count * min(each.p_above(bound) for each in estimates))
    below = max(each.p_below(bound) for each in estimates)
    if chosen is not None:
        above = above if values[at] > bound else 1.0
        return Decision(values[at], *estimates[at].interval(level / count), above, below, at)
    return Decision(
        values[at],
        max(each.interval(level / count)[0] for each in estimates),
        max(each.interval(level)[1] for each in estimates),
        above,
        below,
        at,
    )


def equivalent(estimates: Sequence[Estimate], margin: float, *, level: float = LEVEL) -> Decision:
    """Judge the largest absolute value of several mean differences: is it within the margin?

    Two one-sided tests (Schuirmann 1987, "A comparison of the two one-sided tests procedure and
    the power approach", Journal of Pharmacokinetics and Biopharmaceutics 15): a difference is
    within the margin where it is shown to be above -margin and to be below margin, each at
    a = level / 2: where its interval of 1 - 2 a lies inside. All differences must (Berger 1982), so
    p_below is the largest. That some one is outside is corrected for their number and both sides.

    Args:
        estimates: the differences, at least one, each measured.
        margin: the largest difference that counts as none, positive.
        level: of the interval.
    """
    outside = 2 * len(estimates)
    sizes = [abs(_known(each)) for each in estimates]
    at = int(np.argmax(sizes))
    wide = [each.interval(level) for each in estimates]
    narrow = [each.interval(level / outside) for each in estimates]
    return Decision(
        sizes[at],
        max(0.0, *(max(low, -high) for low, high in narrow)),
        max(max(-low, high) for low, high in wide),
        min(
            1.0,
            outside * min(min(each.p_above(margin), each.p_below(-margin)) for each in estimates),
        ),
        max(max(each.p_above(-margin), each.p_below(margin)) for each in estimates),
        at,
    )


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return p-values (K,) corrected for their number by Holm's step-down procedure.

    Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6: the k-th smallest of K is multiplied by K - k + 1, and none is smaller than the
    one before. The chance that any true null hypothesis is rejected is at most the level, however
    the tests depend on each other.

    Args:
        p_values: (K,), in any order.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def _known(estimate: Estimate) -> float:
    if estimate.value is None:
        raise ValueError("a mean of no known cell cannot be compared")
    return estimate.value

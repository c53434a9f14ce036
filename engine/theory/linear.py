"""Linear theory of Nar, Ocal, Sastry & Ramchandran (2019), as an experiment on made-up features.

Gradient descent on cross-entropy, its bias an appended constant feature, goes to the largest margin
of the *augmented* points (x, 1). On features that vary in few directions and are constant in the
others, the constant directions then carry part of the bias: they cost weight and separate nothing,
and the margin in the space of the features is smaller than it could be. Differential training has
no bias in its loss, sees only differences x_i - y_j, in which constants cancel, and goes to the
largest margin itself.

How large the effect is here. Let D = (dimension - rank) * constant^2, the squared length of what is
constant. With one separating direction the augmented maximum is in closed form, and its margin is
1 / sqrt(1 + offset^2 * D / (1 + D)^2) of the largest; noise directions move it by little. It falls
with the offset. With the rank it *falls* too where D > 1, as in the built-in experiment (many
constant directions share the bias, and each carries less), and rises where D < 1: "the smaller the
rank, the worse" holds for D < 1. At full rank D = 0: what remains of the effect (limit ratios .94
to .98 in the built-in experiment) comes from the noise directions, and descent is slow to get
there (.80 after 20 000 steps at offset 11, .93 after 100 000).

Imports no torch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from engine import seeds
from engine.artifacts import Artifact, ArtifactStore, Recipe, write_json
from engine.components import Document, yaml_files
from engine.errors import PlausiblyError

BUILT_IN = Path(__file__).parents[1] / "experiments"
KIND = "linear_theory"
"""What an experiment file of this kind has as its `kind`."""
VERSION = 1
"""Raised when the same experiment gives another result than before."""
ROWS = "rows.json"
PLOT = "margins.svg"

Array = NDArray[np.float64]
_SVM_STEPS = 200_000
"""Some thousands suffice for separable points; for others SVC would go on for hours."""


class Row(TypedDict):
    """One result.

    Attributes:
        objective: "cross_entropy" or "differential".
        rank, offset: of the features; see `LinearTheory`.
        margin_ratio: margin of the learned boundary over the hard-margin SVM's, at most 1;
            negative when a point is on the wrong side.
        cosine: between the two boundaries' normals.
    """

    objective: str
    rank: int
    offset: float
    margin_ratio: float
    cosine: float


class LinearTheory(Document):
    """The experiment: every rank with every offset.

    Attributes:
        kind: tells it from experiments that train networks.
        title: its name for readers.
        seed: decides the points; equal for all ranks and offsets, so that they compare.
        ranks: numbers of directions in which the features vary, the rank of the centred features:
            one separates the classes, the others are noise.
        offsets: midpoints of the two class centres along the separating direction.
        dimension: of the features.
        per_class: points in a class.
        half_gap: the class centres are at offset + half_gap and offset - half_gap.
        constant: value of the features that do not vary.
        steps: of gradient descent.
        step_size: length of the first step; step t (from 1) has length step_size / sqrt(t).
    """

    kind: Literal["linear_theory"]
    title: str
    seed: int = Field(0, ge=0)
    ranks: tuple[Annotated[int, Field(ge=1)], ...] = Field((2,), min_length=1)
    offsets: tuple[Annotated[float, Field(allow_inf_nan=False)], ...] = Field((11.0,), min_length=1)
    dimension: int = Field(20, ge=1)
    per_class: int = Field(50, ge=1)
    half_gap: float = Field(1.0, gt=0, allow_inf_nan=False)
    constant: float = Field(1.0, allow_inf_nan=False)
    steps: int = Field(20_000, ge=1)
    step_size: float = Field(1.0, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _ranks_fit(self) -> LinearTheory:
        if max(self.ranks) > self.dimension:
            raise ValueError(f"rank {max(self.ranks)} is more than the dimension {self.dimension}")
        return self


@dataclass(frozen=True)
class Points:
    """Linearly separable points of two classes, (n, d) each."""

    positive: Array
    negative: Array


@dataclass(frozen=True)
class Boundary:
    """The hyperplane weight . x + bias = 0; weight (d,)."""

    weight: Array
    bias: float

    def margin(self, points: Points) -> float:
        """Return the smallest signed distance of a point; negative when one is misclassified."""
        inner = (points.positive @ self.weight).min() + self.bias
        outer = -(points.negative @ self.weight).max() - self.bias
        return float(min(inner, outer) / np.linalg.norm(self.weight))


def load(name_or_path: str) -> LinearTheory:
    """Read a built-in experiment by name, or a YAML file by path.

    Raises:
        UsageError: no such experiment, not YAML, or anything in it is wrong; the message lists
            every problem with its place.
    """
    return yaml_files.load(LinearTheory, name_or_path, "experiment", BUILT_IN)


def stored(config: LinearTheory, store: ArtifactStore) -> Artifact:
    """Return the artifact with result (`ROWS`) and plot (`PLOT`); made if it is not there."""
    recipe = Recipe(KIND, config.model_dump(mode="json"), versions={KIND: VERSION})
    if store.find(recipe) is None:
        with store.draft(recipe, seed=config.seed) as draft:
            make(config, draft)
    return store.get(KIND, recipe.key)


def make(config: LinearTheory, draft: Path) -> None:
    """Write result and plot into the folder `draft`."""
    result = run(config)
    write_json(draft / ROWS, result)
    plot(result["rows"], draft / PLOT)


def run(config: LinearTheory) -> dict[str, list[Row]]:
    """Return {"rows": …}: for each rank and offset a row of each objective."""
    cells = [(rank, offset) for rank in config.ranks for offset in config.offsets]
    points = [generate(config, rank, offset) for rank, offset in cells]
    best = [hard_margin(each) for each in points]
    learned = {
        "cross_entropy": cross_entropy(points, config.steps, config.step_size),
        "differential": differential(points, config.steps, config.step_size),
    }
    return {
        "rows": [
            Row(
                objective=objective,
                rank=rank,
                offset=offset,
                margin_ratio=boundaries[k].margin(points[k]) / best[k].margin(points[k]),
                cosine=_cosine(boundaries[k].weight, best[k].weight),
            )
            for k, (rank, offset) in enumerate(cells)
            for objective, boundaries in learned.items()
        ]
    }


def generate(config: LinearTheory, rank: int, offset: float) -> Points:
    """Return the points of one rank and offset.

    Along the first direction a class has its centre at offset ± half_gap and spreads outward,
    half-normal; rank - 1 directions are N(0, 1) noise; the others are constant. All is rotated by
    a random orthogonal matrix (Q of a Gaussian's QR, R's diagonal made positive: Haar measure).
    """
    rng = np.random.default_rng(seeds.derive(config.seed, KIND))
    n, d = config.per_class, config.dimension
    spread = np.abs(rng.standard_normal((2, n)))
    noise = rng.standard_normal((2, n, d - 1))
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    rotation = q * np.sign(np.diag(r))
    classes = []
    for label, sign in enumerate((1, -1)):
        x = np.full((n, d), config.constant, dtype=np.float64)
        x[:, 0] = offset + sign * (config.half_gap + spread[label])
        x[:, 1:rank] = noise[label, :, : rank - 1]
        classes.append(x @ rotation.T)
    return Points(*classes)


def hard_margin(points: Points) -> Boundary:
    """Return the separating hyperplane of largest margin, by scikit-learn's SVC.

    Centred first, which changes no margin and spares the solver the offset; the bias is then set
    midway, so that the margin is exact for the weight found.

    Raises:
        PlausiblyError: the points are not separable.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import SVC

    x = np.concatenate([points.positive, points.negative])
    y = np.repeat([1, -1], [len(points.positive), len(points.negative)])
    svm = SVC(kernel="linear", C=1e8, tol=1e-9, max_iter=_SVM_STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # raised below, in our words
        solved = svm.fit(x - x.mean(0), y)
    best = _midway(points, np.asarray(solved.coef_[0], dtype=np.float64))
    if solved.fit_status_ != 0 or not best.margin(points) > 0:
        raise PlausiblyError("the points are not linearly separable; give them a larger half_gap")
    return best


def cross_entropy(problems: Sequence[Points], steps: int, step_size: float = 1.0) -> list[Boundary]:
    """Return what gradient descent on sum log(1 + exp(-t (w . x + b))) reaches, t = ±1.

    The bias is the weight of an appended constant feature 1. Problems of equal shape run as one
    array operation a step.
    """
    signed = np.stack(
        [np.concatenate([_augmented(p.positive), -_augmented(p.negative)]) for p in problems]
    )

    def downhill(w: Array) -> Array:
        share = _shares(np.einsum("gnd,gd->gn", signed, w))
        return np.asarray(np.einsum("gn,gnd->gd", share, signed))

    reached = _descend(downhill, (len(signed), signed.shape[2]), steps, step_size)
    return [Boundary(w[:-1], float(w[-1])) for w in reached]


def differential(problems: Sequence[Points], steps: int, step_size: float = 1.0) -> list[Boundary]:
    """Return what gradient descent on sum_ij log(1 + exp(-w . (x_i - y_j))) reaches.

    All pairs, as an outer difference of scores; the bias is -(min_i w . x_i + max_j w . y_j) / 2.
    """
    positive = np.stack([p.positive for p in problems])
    negative = np.stack([p.negative for p in problems])

    def downhill(w: Array) -> Array:
        x, y = (np.einsum("gnd,gd->gn", part, w) for part in (positive, negative))
        pairs = (x[:, :, None] - y[:, None, :]).reshape(len(x), -1)
        share = _shares(pairs).reshape(len(x), x.shape[1], y.shape[1])
        pull = np.einsum("gn,gnd->gd", share.sum(2), positive)
        return np.asarray(pull - np.einsum("gn,gnd->gd", share.sum(1), negative))

    reached = _descend(downhill, (len(positive), positive.shape[2]), steps, step_size)
    return [_midway(points, w) for points, w in zip(problems, reached, strict=True)]


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draw the margin ratio against the offset, a line a rank, both objectives; SVG or PNG."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.6), layout="constrained")
    ranks = sorted({row["rank"] for row in rows})
    panels = figure.subplots(1, 2, sharey=True)
    titles = {"cross_entropy": "Cross-entropy", "differential": "Differential training"}
    for panel, (objective, title) in zip(panels, titles.items(), strict=True):
        for rank in ranks:
            line = sorted(
                (row["offset"], row["margin_ratio"])
                for row in rows
                if row["objective"] == objective and row["rank"] == rank
            )
            panel.plot(*zip(*line, strict=True), marker="o", markersize=4, label=f"rank {rank}")
        panel.set(title=title, xlabel="Offset of the features", ylim=(0, 1.05))
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("Margin / hard-margin SVM")
    panels[1].legend(loc="lower right")
    # Without a date, and with fixed ids, equal results are equal files.
    with rc_context({"svg.hashsalt": KIND}):
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _descend(
    downhill: Callable[[Array], Array], shape: tuple[int, int], steps: int, step_size: float
) -> Array:
    """Return weights (G, d) after normalised descent from 0 with steps of decaying length.

    Plain gradient descent has the same limit direction, but the gradient vanishes exponentially
    in the margin: the direction is known only as 1 / log t. Steps of length step_size / sqrt(t)
    get there in thousands. Zero is where descent must start for the limit to be in the span of
    the points.
    """
    w = np.zeros(shape)
    for step in range(1, steps + 1):
        direction = downhill(w)
        length = np.linalg.norm(direction, axis=1, keepdims=True)
        w += step_size / np.sqrt(step) * direction / np.maximum(length, np.finfo(np.float64).tiny)
    return w


def _shares(m: Array) -> Array:
    """Return sigmoid(-m) (G, n), the weight of each margin in the gradient, up to a factor a row.

    With the smallest margin s of a row taken out where it is positive:
    exp(s - m) / (1 + exp(-m)). The largest share is then at least 1/2 however large the margins
    are, while sigmoid(-m) itself underflows and the normalised gradient would be 0/0.
    """
    smallest = np.maximum(m.min(1, keepdims=True), 0)
    t = np.exp(smallest - np.maximum(m, -700))  # exp(709) is the largest that float64 holds
    return np.asarray(t / (1 + t * np.exp(-smallest)))


def _augmented(x: Array) -> Array:
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)


def _midway(points: Points, weight: Array) -> Boundary:
    extremes = (points.positive @ weight).min() + (points.negative @ weight).max()
    return Boundary(weight, float(-extremes / 2))


def _cosine(one: Array, other: Array) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))

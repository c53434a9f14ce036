"""What metrics say of the maps of a method, beside what they say of null maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.artifacts import Role
from engine.metrics import NULLS, Direction, MapMetric, Null, in_words
from engine.report.figure import INTERVAL, Cell, Figure, cells, listed, number, table, words
from engine.report.runs import Dataset
from engine.results import CLEAN
from engine.statistics import Interval, interval

_COLUMNS = (
    "dataset", "method", "defense", "title", "metric", "image", "sign", "direction", *INTERVAL,
    *NULLS,
)  # fmt: skip
_KIND = "map_metrics"
_NO_BREAK = "\N{NO-BREAK SPACE}"
_NOTES = (
    "Means over the images that have a number, with the 95 % interval; after them the means of "
    "null maps of these images, which know nothing of the network: edges, and noise with the "
    "spectrum of the map. A map that is no better than these says no more of the network than they "
    "do.",
    "Higher or lower: which values speak for a map; – where that depends on what is asked.",
)


@dataclass(frozen=True)
class _Number:
    """What one metric says of the maps of one model.

    Attributes:
        found: the mean with its interval.
        nulls: the means of null maps; None where they have no numbers.
    """

    found: Interval
    nulls: dict[Null, float | None]

    @property
    def words(self) -> str:
        """The mean with its interval, and those of null maps; lines break between the three."""
        told = [
            words(self.found),
            *(f"{in_words(n)} {number(m)}" for n, m in self.nulls.items() if m is not None),
        ]
        return "; ".join(each.replace(" ", _NO_BREAK) for each in told)

    def beats(self, direction: Direction) -> bool:
        """Say whether its mean is better than those of all null maps that have one."""
        value = self.found.value
        others = [mean for mean in self.nulls.values() if mean is not None]
        if value is None or not others:
            return False
        return value > max(others) if direction == "higher" else value < min(others)


@dataclass(frozen=True)
class _Line:
    """One metric on one image kind, of all models that have numbers."""

    spec: MapMetric
    image: str
    of: dict[str, _Number]

    def heading(self, data: Dataset) -> str:
        """Return the metric's name, with the attack and how many images were measured."""
        counts = sorted({each.found.images for each in self.of.values()})
        n = "–".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
        attack = "" if self.image == CLEAN else f"{data.has('attacks')[self.image]}; "
        return f"{self.spec.title} ({attack}{_NO_BREAK.join(('n', '=', n))})"


def draw(data: Dataset, method: str, title: str) -> list[Figure]:
    """Return the table of a method; none where no run measured its maps."""
    there = data.having(lambda defense: [Role(_KIND, defense, method)])
    lines = _lines(there, method)
    if not lines:
        return []
    name = f"map-metrics-{method}-{data.label}"
    shown = [("Metric", "Better", *there.defenses.values())]
    for line in lines:
        better = "–" if line.spec.direction == "neither" else line.spec.direction
        told = (line.of[d].words if d in line.of else "no number" for d in there.defenses)
        shown.append((line.heading(data), better, *told))
    attacked = {data.has("attacks")[line.image] for line in lines if line.image != CLEAN}
    of = "clean images" + "".join(f"; attacked ones: {each}" for each in sorted(attacked))
    signed = [line.spec.title for line in lines if line.spec.sign == "signed"]
    sign = f"Signs count in {listed(signed)}; all others take the size of the values alone."
    return [
        Figure(
            name,
            f"{data.title}: what can be measured of “{title}”",
            _sentence(there, lines),
            (),
            table(name, _COLUMNS, _rows(there, method, lines)),
            there.artifacts(*(Role(_KIND, defense, method) for defense in there.defenses)),
            (f"Of {of}.", *_NOTES, *([sign] if signed else []), *there.absence_notes()),
            tuple(shown),
        )
    ]


def _lines(data: Dataset, method: str) -> list[_Line]:
    """Return what there are numbers for: of clean images, else of those of the first attack."""
    specs: dict[str, MapMetric] = {}
    for defense in data.defenses:
        found = data.first.map_metrics(defense, method)
        specs |= {name: found.spec(name) for name in found.metrics}
    lines = []
    for name, spec in specs.items():
        for image in (CLEAN, *data.has("attacks")):
            of = {d: _number(data, d, method, name, image) for d in data.defenses}
            known = {d: each for d, each in of.items() if each is not None}
            if known:
                lines.append(_Line(spec, image, known))
                break
    return lines


def _number(data: Dataset, defense: str, method: str, metric: str, image: str) -> _Number | None:
    """Return what the metric says; of null maps on those images alone whose maps have a number."""
    own = _stacked(data, defense, method, metric, image, None)
    known = np.isfinite(own)
    if not known.any():
        return None
    nulls = {null: _stacked(data, defense, method, metric, image, null)[known] for null in NULLS}
    means = {
        null: float(np.nanmean(values)) if np.isfinite(values).any() else None
        for null, values in nulls.items()
    }
    return _Number(interval([own[:, known.any(0)]]), means)


def _stacked(
    data: Dataset, defense: str, method: str, metric: str, image: str, null: Null | None
) -> NDArray[np.float64]:
    """Return the numbers of all seeds and test images (S, N), NaN where there is none."""
    found = np.full((len(data.runs), len(data.first.source)), np.nan)
    for row, run in zip(found, data.runs, strict=True):
        measured = run.map_metrics(defense, method)
        if metric in measured.metrics and image in measured.images:
            row[measured.indices(image)] = (
                measured.null(metric, image, null) if null else measured.values(metric, image)
            )
    return found


def _sentence(data: Dataset, lines: list[_Line]) -> str:
    """Say in how many metrics that have a direction the maps are better than null maps."""
    told = []
    for defense, title in data.defenses.items():
        asked = [
            line.of[defense].beats(line.spec.direction)
            for line in lines
            if line.spec.direction != "neither" and defense in line.of
        ]
        if asked:
            told.append(f"“{title}” {sum(asked)} of {len(asked)}")
    if not told:
        return "No metric here says which values speak for a map."
    return f"Metrics in which the maps are on average better than edges and noise: {listed(told)}."


def _rows(data: Dataset, method: str, lines: list[_Line]) -> list[tuple[Cell, ...]]:
    return [
        (data.label, method, defense, data.defenses[defense], line.spec.name, line.image,
         line.spec.sign, line.spec.direction, *cells(each.found), *each.nulls.values())
        for line in lines
        for defense, each in line.of.items()
    ]  # fmt: skip

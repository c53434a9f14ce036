"""White-box accuracy under the worst of several attacks, with the rungs that it must stand on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.artifacts import Role
from engine.report import look
from engine.report.figure import INTERVAL, Figure, Picture, cells, number, table, words
from engine.report.look import COLOURS, Style
from engine.report.runs import Dataset
from engine.robustness.doubt import Ladder
from engine.statistics import Interval, interval

TITLE = "White box, the worst case"
READING = (
    "A panel per model. The worst case counts an image as right only where no attack of the set "
    "fools the model: one step, PGD with restarts on several losses, then with twice the steps, "
    "the strongest attack, and a search without gradients. Runs from before these were added have "
    "the first two. In a sound evaluation it lies lowest, noise highest, and it falls to nothing "
    "as ε grows. All on 8-bit pixels within ε; the table has the worst case before rounding too. "
    "Bands are 95 % intervals."
)
_COLUMNS = ("dataset", "defense", "attack", "eps", *INTERVAL, "doubt")
_LINES = {
    "noise": ("random noise", Style(COLOURS["sky"], "o", (0, (1.5, 1.5)), hollow=True)),
    "transferred": ("strongest transfer", Style(COLOURS["purple"], "v", (0, (5, 1.5, 1.5, 1.5)))),
    "fgsm": ("one step (FGSM)", Style(COLOURS["orange"], "D", (0, (5, 2)))),
    "worst_case": ("worst case", Style(COLOURS["ink"], "s")),
}
_RUNGS = ("fgsm", "cross_entropy", "margin", "scaled", "fgsm_predicted", "noise")
_LATER = ("converged", "strong", "strong_float", "square")
"""Rungs that older ladders lack."""


def draw(data: Dataset) -> list[Figure]:
    """Return the figure, for runs that climbed the ladder."""
    data = data.having(lambda defense: [Role("ladder", defense)])
    defenses = list(data.defenses)
    if not defenses:
        return []
    eps = [float(each) for each in _ladders(data, defenses[0])[0].eps]
    found = {defense: _accuracies(data, defense) for defense in defenses}
    slug = f"ladder-{data.label}"
    at = min(range(len(eps)), key=lambda i: abs(eps[i] - 0.1))
    worst = {defense: lines["worst_case"][at] for defense, lines in found.items()}
    best = max(worst, key=lambda d: worst[d].value or 0)
    sentence = (
        f"Under the worst case at ε = {number(eps[at])}, {data.called(best)} keeps the most, "
        f"{words(worst[best])}{_before_rounding(found[best], at)}; under one step alone it would "
        f"seem to keep {words(found[best]['fgsm'][at])}."
    )
    width = 1000
    with look.drawing():
        figure, panels = look.panels(
            len(defenses), columns=3, width=width, height=250, sharex=True, sharey=True
        )
        for axes, defense in zip(panels, defenses, strict=True):
            for name, (label, style) in _LINES.items():
                if name in found[defense]:
                    look.line(axes, eps, found[defense][name], style, label)
            axes.set_title(data.marked(defense), loc="left")
            axes.set(ylim=(-0.02, 1.02), xlabel="ε")
            axes.label_outer()
        look.name_values(panels, 3, "accuracy")
        look.legend(figure, panels[0], columns=4)
        drawn = look.svg(figure, slug)
    rows = [
        (data.label, defense, name, value, *cells(each), data.reasons(defense))
        for defense, lines in found.items()
        for name, intervals in lines.items()
        for value, each in zip(eps, intervals, strict=True)
    ]
    text = f"Lines of white-box accuracy against ε, a panel a model. {sentence}"
    return [
        Figure(
            slug,
            data.title,
            sentence,
            (Picture(slug, drawn, width, text),),
            table(slug, _COLUMNS, rows),
            data.artifacts(*(Role("ladder", defense) for defense in defenses)),
            (*data.absence_notes(), *data.doubt_notes()),
        )
    ]


def _before_rounding(lines: dict[str, list[Interval]], at: int) -> str:
    if "worst_case_float" not in lines:
        return ""
    return f" ({number(lines['worst_case_float'][at].value)} before rounding to 8 bits)"


def _ladders(data: Dataset, defense: str) -> list[Ladder]:
    found = [run.ladder(defense) for run in data.runs]
    return [ladder for ladder in found if ladder is not None]


def _accuracies(data: Dataset, defense: str) -> dict[str, list[Interval]]:
    """Return accuracies by attack, one per eps; of the transferred ones the lowest at each."""
    ladders = _ladders(data, defense)

    def right(predicted: list[NDArray[np.int64]]) -> NDArray[np.bool_]:
        return np.stack(
            [p == each.labels for p, each in zip(predicted, ladders, strict=True)], axis=1
        )

    own = {name: right([getattr(each, name) for each in ladders]) for name in _RUNGS}
    for name in _LATER:
        later = [getattr(each, name) for each in ladders]
        if all(each is not None for each in later):
            own[name] = right(later)
    own["worst_case"] = np.stack([each.worst_case for each in ladders], axis=1)
    floats = [each.worst_case_float for each in ladders]
    there = [each for each in floats if each is not None]
    if len(there) == len(floats):
        own["worst_case_float"] = np.stack(there, axis=1)
    found = {name: [interval([part]) for part in each] for name, each in own.items()}
    sources = [
        right([of[source] for of in answers])
        for kind in ("transferred", "transferred_pgd")
        for answers in [[getattr(each, kind) for each in ladders]]
        for source in answers[0]
        if all(source in of for of in answers)
    ]
    if sources:
        lowest = np.stack(sources)
        found["transferred"] = [
            interval(list(lowest[:, i]), reduce=np.min) for i in range(lowest.shape[1])
        ]
    return found

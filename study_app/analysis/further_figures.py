"""Figures of what is found beside means and contrasts: distributions, strengths, d', times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from engine.analysis.estimates import CellEstimate
from engine.analysis.preferences import Strengths
from study_app.analysis import formats, plots
from study_app.analysis.figures import (
    MANY_VALUES,
    Figure,
    Grid,
    Heat,
    Names,
    clustered_point,
    in_order,
)
from study_app.analysis.findings import Findings, OutcomeFindings
from study_app.analysis.formats import NONE
from study_app.analysis.plots import Point


def distributed(
    found: Findings, each: OutcomeFindings, names_of: Mapping[str, str]
) -> list[Figure]:
    """Return how often each value of a scale or a choice was given, by condition and arm.

    Args:
        found: all findings.
        each: those of one outcome.
        names_of: of values, such as classes by index; others are told as they are.
    """
    cells = [cell for cell in in_order(found, each.estimates) if cell.counts]
    if each.outcome.kind not in ("ordinal", "choice") or not cells:
        return []
    names = Names(found)
    values = _values(each, cells)
    title = f"How often each value was given: {each.outcome.title}"
    heat = Heat(
        title,
        "Condition",
        [names_of.get(value, value) for value in values],
        [(names.cell(cell.condition, cell.arm), _shares(cell.counts, values)) for cell in cells],
    )
    drawn = None
    if each.outcome.kind == "ordinal" and len(values) <= MANY_VALUES:
        groups = [
            (names.cell(cell.condition, cell.arm), cell.counts, names.colour(cell.arm))
            for cell in cells
        ]
        drawn = plots.distribution(f"{title}, by condition", groups, values)
    return [Figure(title, columns=drawn, heats=[heat])]


def confused(
    found: Findings,
    each: OutcomeFindings,
    truth: Mapping[str, int],
    names_of: Mapping[str, str],
) -> Figure | None:
    """Return which class people chose for images of which true class, by condition and arm.

    Args:
        found: all findings.
        each: those of a choice.
        truth: the true class of each source image.
        names_of: of classes by index.
    """
    if each.outcome.kind != "choice" or not each.images or not truth:
        return None
    names = Names(found)
    tables: dict[tuple[str, str], dict[int, dict[str, int]]] = {}
    for item in each.images:
        if item.key in truth:
            row = tables.setdefault((item.condition, item.arm), {}).setdefault(truth[item.key], {})
            for value, count in item.counts.items():
                row[value] = row.get(value, 0) + count
    columns = _ordered({value for t in tables.values() for row in t.values() for value in row})
    heats = [
        Heat(
            names.cell(condition, arm),
            "True class",
            [names_of.get(value, value) for value in columns],
            [
                (names_of.get(str(label), str(label)), _shares(row, columns))
                for label, row in sorted(rows.items())
            ],
        )
        for condition, arm in sorted(tables, key=lambda at: names.place(*at))
        for rows in [tables[condition, arm]]
    ]
    note = "Rows are true classes, columns what people chose; shades are shares of a row."
    return Figure(f"Confusions: {each.outcome.title}", heats=heats, notes=[note])


def _values(each: OutcomeFindings, cells: Sequence[CellEstimate]) -> list[str]:
    """Return the values in order, those of a scale whether or not anybody gave them."""
    outcome = each.outcome
    if outcome.kind == "ordinal" and outcome.low is not None and outcome.high is not None:
        return [str(n) for n in range(int(outcome.low), int(outcome.high) + 1)]
    return _ordered({value for cell in cells for value in cell.counts})


def _ordered(values: set[str]) -> list[str]:
    return sorted(values, key=lambda v: (not _whole(v), int(v) if _whole(v) else 0, v))


def _whole(value: str) -> bool:
    return value.removeprefix("-").isdecimal()


def _shares(counts: Mapping[str, int], values: Sequence[str]) -> list[tuple[str, float]]:
    total = max(1, sum(counts.values()))
    return [(str(counts.get(v, 0)), counts.get(v, 0) / total) for v in values]


def detected(found: Findings, each: OutcomeFindings) -> list[Figure]:
    """Return sensitivity and criterion of an outcome, by what is told apart."""
    if not each.detections:
        return []
    names = Names(found)
    rows, sensitive, inclined = [], [], []
    ranked = sorted(each.detections, key=lambda one: names.place(one.signal, one.arm))
    for one in ranked:
        label = names.condition(one.signal)
        if one.noise:
            label += f" against {names.condition(one.noise)}"
        arm, colour = names.arm(one.arm), names.colour(one.arm)
        d = _between(one.sensitivity, one.low, one.high)
        c = _between(one.criterion, one.criterion_low, one.criterion_high)
        sensitive.append(Point(label, d, one.sensitivity, one.low, one.high, arm, colour))
        inclined.append(
            Point(label, c, one.criterion, one.criterion_low, one.criterion_high, arm, colour)
        )
        shares = [
            NONE if v is None else f"{v:.0%}".replace("%", " %")
            for v in (one.hits, one.false_alarms)
        ]
        rows.append([label, *([arm] if names.several_arms else []), *shares, d, c])
    headings = ["What is told apart", *(["Arm"] if names.several_arms else []), "Hits"]
    grid = Grid([*headings, "False alarms", "d′", "Criterion"], rows)
    notes = list(dict.fromkeys(one.note for one in each.detections if one.note))
    people = sum(len(one.people) for one in each.detections)
    if people:
        notes.append(f"Values of {formats.counted(people, 'single person', 'single people')}, "
                     "with at least 8 trials a side, are in the JSON output.")  # fmt: skip
    sensitivity = Figure(
        f"Sensitivity d′: {each.outcome.title}",
        dots=_zero("Sensitivity d′ with intervals", sensitive),
        grid=grid,
        notes=notes,
    )
    if not any(one.noise for one in ranked):  # a choice of one of two has no criterion
        return [sensitivity]
    return [
        sensitivity,
        Figure(
            f"Criterion: {each.outcome.title}",
            dots=_zero("Criterion c with intervals; positive: inclined to no", inclined),
            notes=["Positive: inclined to say no. Shares alone hide it."],
        ),
    ]


def preferred(found: Findings, each: OutcomeFindings) -> list[Figure]:
    """Return strengths of items, by arm."""
    return [_strengths(found, each, one) for one in each.strengths]


def _strengths(found: Findings, each: OutcomeFindings, one: Strengths) -> Figure:
    names = Names(found)
    points = [
        Point(item.item, _between(item.value, item.low, item.high), item.value, item.low, item.high,
              "", names.colour(one.arm))
        for item in one.items
    ]  # fmt: skip
    notes = [one.note] if one.note else []
    if one.side is not None:
        told = _between(*one.side)
        notes.append(f"The first place is favoured by {told} log-odds.")
    if one.tie is not None:
        notes.append(f"No preference was given in {one.tie:.0%} of the answers.".replace("%", " %"))
    arm = names.arm(one.arm)
    title = f"Strength of each: {each.outcome.title}" + (f" ({arm})" if arm else "")
    # Where no strengths are given, what was chosen over what is known all the same.
    items = [item.item for item in one.items] or sorted({a for pair in one.pairs for a in pair})
    totals = {a: sum(one.pairs.get((a, b), 0.0) for b in items) for a in items}
    heat = Heat(
        "How often the row was chosen over the column",
        "Chosen",
        items,
        [
            (a, [(f"{one.pairs.get((a, b), 0.0):g}" if a != b else "",
                  one.pairs.get((a, b), 0.0) / max(1.0, totals[a])) for b in items])
            for a in items
        ],
    )  # fmt: skip
    rows = [[i.item, _between(i.value, i.low, i.high), f"{i.chosen:g}", str(i.offered)]
            for i in one.items]  # fmt: skip
    return Figure(
        title,
        dots=_zero(f"{title}, in log-odds beside the average item", points) if points else None,
        grid=Grid(["Item", "Strength (log-odds)", "Chosen", "Offered"], rows) if rows else None,
        heats=[heat] if one.pairs else [],
        notes=notes,
    )


def useful(found: Findings, each: OutcomeFindings) -> Figure | None:
    """Return how much better arms predict the model than the one without an explanation."""
    if not each.usefulness:
        return None
    names, points, rows = Names(found), [], []
    for one in each.usefulness:
        told = _between(one.utility, one.low, one.high)
        label = names.arm(one.arm) or one.arm
        points.append(Point(label, told, one.utility, one.low, one.high, "", names.colour(one.arm)))
        shares = [formats.estimate(each.outcome, v) for v in (one.accuracy, one.baseline_accuracy)]
        rows.append([label, *shares, told])
    held = [v for p in points for v in (p.value, p.low, p.high) if v is not None]
    return Figure(
        "Usefulness of the explanation",
        dots=plots.dots(
            "Ratio of right predictions to those without an explanation",
            points,
            plots.around(held, always=[1.0]),
            dashed=[1.0],
        ),
        grid=Grid(["Arm", "Right", "Right without explanation", "Ratio"], rows),
        notes=list(dict.fromkeys(one.note for one in each.usefulness if one.note)),
    )


def agreed(found: Findings, each: OutcomeFindings) -> Figure | None:
    """Return how far people agree on an outcome."""
    if not each.agreement:
        return None
    names = Names(found)
    rows = [
        [
            names.arm(one.arm) or "All",
            _between(one.alpha, one.low, one.high),
            one.level,
            _between(one.ceiling, one.ceiling_low, one.ceiling_high),
            str(one.units),
            str(one.people),
        ]
        for one in each.agreement
    ]
    headings = ["Arm", "Krippendorff’s α", "Level", "Noise ceiling", "Stimuli", "People"]
    notes = list(dict.fromkeys(one.note for one in each.agreement if one.note))
    return Figure(f"Agreement: {each.outcome.title}", grid=Grid(headings, rows), notes=notes)


def sensitive(found: Findings, each: OutcomeFindings) -> Figure | None:
    """Return estimates with and without each exclusion rule, side by side."""
    if not each.sensitivity:
        return None
    names = Names(found)
    told = {"": "By the rules", "none": "Without any rule"}
    headings = ["Condition"]
    columns = []
    for one in each.sensitivity:
        title = told.get(one.rule, f"Without {one.rule}")
        if one.rule not in told:
            title += f" ({formats.counted(one.people, 'person', 'people')} alone)"
        headings.append(title)
        columns.append({(c.condition, c.arm): c.estimate for c in one.estimates})
    cells = dict.fromkeys(
        (c.condition, c.arm)
        for one in each.sensitivity
        for c in in_order(found, one.estimates)
        if c.estimate is not None
    )
    rows = [
        [names.cell(*cell), *(formats.estimate(each.outcome, c.get(cell)) for c in columns)]
        for cell in cells
    ]
    if not rows:
        return None
    return Figure(f"With and without exclusions: {each.outcome.title}", grid=Grid(headings, rows))


def timed(found: Findings) -> list[Figure]:
    """Return reaction times, one figure for each question type."""
    names, made = Names(found), []
    for task in dict.fromkeys(each.task for each in found.times):
        cells = in_order(found, [each for each in found.times if each.task == task])
        points, rows = [], []
        for cell in cells:
            typical = cell.typical
            refused = bool(typical.refused)
            told = _between(
                typical.value, *((inf, inf) if refused else (typical.low, typical.high))
            )
            label = names.condition(cell.condition)
            arm, colour = names.arm(cell.arm), names.colour(cell.arm)
            points.append(clustered_point(label, typical, f"{told} ms", arm, colour))
            quartiles = " / ".join(f"{v:.0f}" for v in cell.quartiles)
            rows.append([names.cell(cell.condition, cell.arm), told, quartiles, str(cell.answered)])
        held = [v for p in points for v in (p.value, p.low, p.high) if v is not None]
        title = f"Reaction time: {task}"
        made.append(
            Figure(
                title,
                dots=plots.dots(
                    f"{title}, geometric mean of people with intervals",
                    points,
                    plots.around(held),
                    unit="milliseconds",
                ),
                grid=Grid(["Condition", "Typical (ms)", "Quartiles (ms)", "Ratings"], rows),
                notes=_course(found, task),
            )
        )
    return made


def _course(found: Findings, task: str) -> list[str]:
    said = []
    for one in found.courses:
        if one.task == task:
            parts = ", ".join(formats.number(part) for part in one.parts)
            slope = one.slope
            told = _between(slope.value, slope.low, slope.high) if not slope.refused else NONE
            said.append(
                f"Median by fifth of the session: {parts} ms. From the first presentation to the "
                f"last it changes by {told} per cent."
            )
    return said


def consistent(found: Findings) -> Figure | None:
    """Return how alike errors are of people and models."""
    if not found.consistency:
        return None
    points, rows = [], []
    names = Names(found)
    for one in found.consistency:
        label = f"{one.first} and {one.second[:12]}"
        told = _between(one.kappa, one.low, one.high)
        points.append(Point(label, told, one.kappa, one.low, one.high))
        shares = [NONE if v is None else f"{v:.2f}" for v in (one.observed, one.expected)]
        accuracies = " / ".join(formats.number(v) for v in one.accuracies)
        rows.append(
            [label, names.condition(one.conditions), told, *shares, accuracies, str(one.pairs)]
        )
    headings = ["Who", "Conditions", "κ", "Observed", "By chance", "Accuracies", "Pairs"]
    return Figure(
        "Error consistency: do they err on the same images?",
        dots=_zero("Error consistency κ with intervals", points),
        grid=Grid(headings, rows),
        notes=list(dict.fromkeys(one.note for one in found.consistency if one.note)),
    )


def _zero(title: str, points: Sequence[Point]) -> plots.Dots:
    """Return a plot in which nothing is at 0."""
    held = [v for p in points for v in (p.value, p.low, p.high) if v is not None]
    return plots.dots(title, points, plots.around(held, always=[0.0]), dashed=[0.0])


def _between(value: float | None, low: float, high: float) -> str:
    if value is None:
        return NONE
    told = formats.number(value)
    ends = [formats.number(end) for end in (low, high)]
    return told if NONE in ends else f"{told} ({ends[0]} to {ends[1]})"

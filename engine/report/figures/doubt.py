"""The doubt section: what the computed checks say of every model."""

from __future__ import annotations

from engine.report.figure import Figure, listed, number, table
from engine.report.study import Dataset

TITLE = "What to doubt"
READING = (
    "Checks that a sound evaluation passes (Carlini et al. 2019): accuracy falls with ε and "
    "reaches nothing, iterated attacks beat one step, white box beats transfer, noise is weaker, "
    "the scale of the logits does not matter. ✓ passed, ✗ failed, with the value, its 95 % "
    "interval and the limit. A model that fails one is marked wherever its robustness is shown; "
    "its numbers are then not evidence of robustness."
)
_COLUMNS = (
    "dataset", "defense", "title", "seed", "check", "reason", "statement",
    "value", "low", "high", "limit", "passed",
)  # fmt: skip


def draw(data: Dataset) -> list[Figure]:
    """Return the table, for runs whose evaluation holds the checks."""
    if not data.judged:
        return []
    rows, shown = [], []
    for defense, title in data.defenses.items():
        found = [models[defense]["doubt"]["checks"] for models in data.evaluations]
        rows += [
            (data.label, defense, title, seed, *(check[key] for key in _COLUMNS[4:]))
            for seed, checks in zip(data.seeds, found, strict=True)
            for check in checks
        ]
        for number_of_check, check in enumerate(found[0]):
            verdicts = [checks[number_of_check] for checks in found]
            shown.append(
                (
                    data.marked(defense),
                    check["statement"],
                    number(check["limit"]),
                    *(_outcome(each) for each in verdicts),
                )
            )
    seeds = [f"Seed {seed}" for seed in data.seeds]
    doubted = [data.marked(defense) for defense in data.doubts]
    clear = [title for defense, title in data.defenses.items() if defense not in data.doubts]
    sentence = (
        f"Doubted: {listed(doubted)}."
        + (f" {listed(clear)} passed every check." if clear else " No model passed every check.")
        if doubted
        else "Every model passed every check with every seed."
    )
    name = f"doubt-{data.label}"
    return [
        Figure(
            name,
            data.title,
            sentence,
            (),
            table(name, _COLUMNS, rows),
            data.artifacts("evaluation"),
            data.doubt_notes(),
            (("Model", "Check", "Limit", *seeds), *shown),
        )
    ]


def _outcome(check: dict) -> str:  # type: ignore[type-arg]
    sign = "✓ passed" if check["passed"] else f"✗ {check['reason']}"
    interval = f"{number(check['value'])} [{number(check['low'])}, {number(check['high'])}]"
    return f"{sign}: {interval}"

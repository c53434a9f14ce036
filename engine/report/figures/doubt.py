"""The doubt section: what the computed checks say of every model."""

from __future__ import annotations

from typing import Any

from engine.artifacts import Role
from engine.report.figure import Figure, listed, number, table
from engine.report.runs import Dataset

TITLE = "What to doubt"
READING = (
    "Checks that a sound evaluation passes (Carlini et al. 2019): accuracy falls with ε and "
    "reaches nothing, iterated attacks beat one step, white box beats transfer, noise is weaker, "
    "the scale of the logits does not matter. ✓ passed with every seed: the value nearest to the "
    "limit. ✗ failed: the value furthest beyond it, with its 95 % interval. A model that fails one "
    "is marked wherever its robustness is shown; its numbers are then not evidence of robustness."
)
_COLUMNS = (
    "dataset", "defense", "title", "seed", "check", "reason", "statement",
    "value", "low", "high", "limit", "passed",
)  # fmt: skip


def draw(data: Dataset) -> list[Figure]:
    """Return the table, for runs whose evaluation holds the checks."""
    data = data.having(lambda defense: [Role("ladder", defense), Role("measures", defense)])
    if not data.judged:
        return []
    rows = []
    judged: dict[str, list[list[dict[str, Any]]]] = {}
    for defense, title in data.defenses.items():
        found = [models[defense]["doubt"]["checks"] for models in data.evaluations]
        rows += [
            (data.label, defense, title, seed, *(check[key] for key in _COLUMNS[4:]))
            for seed, checks in zip(data.seeds, found, strict=True)
            for check in checks
        ]
        judged[defense] = [list(of_one_check) for of_one_check in zip(*found, strict=True)]
    shown = [
        (f"{check['statement']} (else {check['reason']})", number(check["limit"]),
         *(_outcome(checks[place]) for checks in judged.values()))
        for place, check in enumerate(data.evaluations[0][next(iter(judged))]["doubt"]["checks"])
    ]  # fmt: skip
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
            data.artifacts(Role("evaluation")),
            (*data.absence_notes(), *data.doubt_notes()),
            (("Check", "Limit", *map(data.marked, data.defenses)), *shown),
        )
    ]


def _outcome(checks: list[dict[str, Any]]) -> str:
    """One check of one model over the seeds."""
    worst = max(checks, key=lambda check: (not check["passed"], check["value"]))
    failed = sum(not check["passed"] for check in checks)
    if not failed:
        return f"✓ {number(worst['value'])}"
    seeds = f", {failed} of {len(checks)} seeds" if len(checks) > 1 else ""
    return f"✗ {number(worst['value'])} [{number(worst['low'])}, {number(worst['high'])}]{seeds}"

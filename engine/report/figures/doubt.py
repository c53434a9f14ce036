"""The doubt section: whom robustness is claimed against, and what the computed checks say."""

from __future__ import annotations

from typing import Any

from engine.artifacts import Role
from engine.report.figure import Figure, listed, number, table
from engine.report.figures import _checklist, _threat
from engine.report.runs import Dataset

TITLE = "What to doubt"
READING = (
    "Checks that a sound evaluation passes (Carlini et al. 2019). ✓ passed with every seed: the "
    "value nearest to the limit, with its 95 % interval. ✗ failed: the value furthest beyond the "
    "limit. ! noted: it says something of an attack and not of the model. – not tested, which is "
    "not passed, with the reason. A model that fails a check is marked wherever its robustness is "
    "shown. † gradients likely masked, ‡ label leaking: what it keeps is no evidence of "
    "robustness. § one step only: what it keeps under FGSM is none; read the worst case. "
    "¶ stochastic: the numbers are those of its mean answer."
)
_COLUMNS = (
    "dataset", "defense", "title", "seed", "check", "reason", "statement", "state",
    "value", "low", "high", "limit", "eps", "n", "smallest", "why",
)  # fmt: skip
_SIGNS = {"failed": "✗", "noted": "!", "passed": "✓", "skipped": "–"}
"""By state, the worst first."""


def draw(data: Dataset) -> list[Figure]:
    """Return threat model, checks and checklist, for runs whose evaluation holds the checks."""
    data = data.having(lambda defense: [Role("ladder", defense), Role("measures", defense)])
    if not data.judged:
        return []
    return [_threat.draw(data), _checks(data), _checklist.draw(data)]


def _checks(data: Dataset) -> Figure:
    rows = []
    judged: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for defense, title in data.defenses.items():
        for seed, models in zip(data.seeds, data.evaluations, strict=True):
            for check in models[defense]["doubt"]["checks"]:
                told = (check[key] for key in _COLUMNS[4:])
                rows.append((data.label, defense, title, seed, *told))
                of_model = judged.setdefault(check["check"], {})
                of_model.setdefault(defense, []).append(check)
    shown = [_row(of_model, list(data.defenses)) for of_model in judged.values()]
    name = f"doubt-{data.label}"
    return Figure(
        name,
        f"{data.title}: the checks",
        _sentence(data),
        (),
        table(name, _COLUMNS, rows),
        data.artifacts(Role("evaluation")),
        (*data.absence_notes(), *data.doubt_notes()),
        (("Check", "Limit", "Seen from", *map(data.marked, data.defenses)), *shown),
    )


def _sentence(data: Dataset) -> str:
    clear = [title for defense, title in data.defenses.items() if defense not in data.doubts]
    if not data.doubts:
        return "No model failed a check with any seed."
    rest = f"No check failed for {listed(clear)}." if clear else "No model is without doubt."
    return f"Doubted: {listed([data.marked(defense) for defense in data.doubts])}. {rest}"


def _row(of_model: dict[str, list[dict[str, Any]]], defenses: list[str]) -> tuple[str, ...]:
    """Return what is told of one check: its limit, and its outcome for each model."""
    checks = [check for found in of_model.values() for check in found]
    smallest = max((check["smallest"] for check in checks if check["smallest"]), default=None)
    return (
        f"{checks[0]['statement']} (else {checks[0]['reason']})",
        number(checks[0]["limit"]),
        number(smallest),
        *(_outcome(of_model[each]) if each in of_model else "–" for each in defenses),
    )


def _outcome(checks: list[dict[str, Any]]) -> str:
    """One check of one model over the seeds."""
    order = list(_SIGNS)
    worst = min(checks, key=lambda check: (order.index(check["state"]), -(check["value"] or 0)))
    state, sign = worst["state"], _SIGNS[worst["state"]]
    if state == "skipped":
        return f"{sign} {worst['why']}"
    same = sum(check["state"] == state for check in checks)
    seeds = f", {same} of {len(checks)} seeds" if same < len(checks) or state == "failed" else ""
    return (
        f"{sign} {number(worst['value'])} [{number(worst['low'])}, {number(worst['high'])}]"
        f"{seeds if len(checks) > 1 else ''}{'; ' * bool(worst['why'])}{worst['why']}"
    )

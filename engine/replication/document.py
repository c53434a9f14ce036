"""Verdicts as Markdown: how they were reached, the table, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.replication.claims import FEWEST_SEEDS, Check, Doubted, family
from engine.robustness.doubt import legend
from engine.statistics import two_way

if TYPE_CHECKING:
    from engine.replication.papers import Paper
    from engine.results import Results


def document(paper: Paper, runs: Sequence[Results], checks: Sequence[Check]) -> str:
    """Return the verdicts on a paper with what a reader must know of them.

    Args:
        paper: whose claims they are.
        runs: every dataset with the same seeds.
        checks: what `paper.checks` said of the runs.
    """
    paragraphs = [
        f"**Seeds.** {_seeds(runs)} Every network was trained anew with each.",
        f"**Threat model.** {paper.SETTING}",
        f"**By chance.** {by_chance(checks)}",
    ]
    if gaps := paper.left_out(runs[0].config["defenses"]):
        paragraphs.append(f"**Absent models.** {' '.join(gaps)}")
    if said := _doubted(checks):
        paragraphs.append(said)
    return "\n\n".join([*paragraphs, markdown(checks), paper.tables(runs)]) + "\n"


def by_chance(checks: Sequence[Check]) -> str:
    """Return how many decisions chance alone would make, in sentences."""
    decidable = [each for each in checks if each.decidable]
    decided = sum(each.verdict != "undecided" for each in checks)
    if not decidable:
        return (
            f"None of the {len(checks)} statements can be decided: that takes {FEWEST_SEEDS} seeds."
        )
    claims = len({family(each) for each in decidable})
    return (
        f"{decided} of {len(checks)} statements are decided. If each of the {len(decidable)} that "
        f"could be decided lay on its bound, {two_way.LEVEL * len(decidable):.1f} would be decided "
        "by chance without a correction. Holm's correction, over the statements and datasets of "
        "one claim, keeps the chance of any wrong decision on a claim at "
        f"{100 * two_way.LEVEL:g} % or less: of {claims} claims, at most "
        f"{two_way.LEVEL * claims:.1f} are expected to have one."
    )


def markdown(checks: Sequence[Check]) -> str:
    """Return the checks as a Markdown table: a row a statement, a column a dataset."""
    datasets = list(dict.fromkeys(each.dataset for each in checks))
    rows: dict[tuple[str, str, str], dict[str, Check]] = {}
    for each in checks:
        key = (f"{each.claim} ({each.origin})", each.statement, f"{each.relation} {each.bound:g}")
        rows.setdefault(key, {})[each.dataset] = each
    lines = [
        f"| claim | statement | bound | {' | '.join(datasets)} |",
        "|---|---|---|" + "---|" * len(datasets),
    ]
    for key, found in rows.items():
        cells = [_cell(found[name]) if name in found else "" for name in datasets]
        lines.append(f"| {' | '.join((*key, *cells))} |")
    return "\n".join(lines)


def _cell(check: Check) -> str:
    parts = (f"**{check.told}** {check.measured}", check.chance, check.notes)
    return "; ".join(filter(None, parts)).replace("|", "\\|")


def _seeds(runs: Sequence[Results]) -> str:
    seeds = sorted({int(results.config["seed"]) for results in runs})
    named = ", ".join(map(str, seeds))
    few = f" Fewer than {FEWEST_SEEDS} decide nothing." * (len(seeds) < FEWEST_SEEDS)
    return f"{len(seeds)}: {named}.{few}"


def _doubted(checks: Sequence[Check]) -> str:
    """Return the doubted seeds of every dataset, each once, in a list; "" for none."""
    found: dict[str, dict[Doubted, None]] = {}
    for each in checks:
        found.setdefault(each.dataset, {}).update(dict.fromkeys(each.doubted))
    lines = [
        f"- {dataset}: {', '.join(map(str, those))}." for dataset, those in found.items() if those
    ]
    if not lines:
        return ""
    reasons = {each.reason for those in found.values() for each in those}
    return "\n".join(
        [
            "**Doubted seeds.** What these models keep under attack is no evidence of robustness. "
            "They are in the means all the same, and every cell names those in it. "
            + legend(reasons),
            "",
            *lines,
        ]
    )

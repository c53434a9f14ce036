"""What the command line shows: progress with the time left, stage times, tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from rich.table import Table
from rich.text import Text

from engine.attacks import eps_words, is_whole
from engine.datasets import describe_counts, doubt_counts
from engine.replication import Check
from engine.results import Results, Role, by_dataset, doubted
from engine.robustness.doubt import legend, marked

_FAILED = "failed"
_VERDICT_STYLES = {"holds": "bold green", "fails": "bold red", "undecided": "dim"}


def linear_theory_table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return margins and cosines relative to the hard-margin SVM, by objective, rank, offset."""
    table = Table(title=title, title_justify="left")
    for heading in ("objective", "rank", "offset", "margin / largest", "cosine"):
        table.add_column(heading, justify="left" if heading == "objective" else "right")
    for row in sorted(rows, key=lambda row: (row["objective"], row["rank"], row["offset"])):
        table.add_row(
            row["objective"].replace("_", "-"),
            str(row["rank"]),
            f"{row['offset']:g}",
            f"{row['margin_ratio']:.3f}",
            f"{row['cosine']:.3f}",
        )
    return table


def run_tables(runs: Sequence[Results]) -> list[Table]:
    """Return one table a dataset: accuracies, clean and white box under each attack.

    Over several seeds each number is the mean with the standard deviation.
    """
    return [_accuracy_table(seeds) for seeds in by_dataset(runs).values()]


def chosen_lines(runs: Sequence[Results]) -> list[str]:
    """Return a sentence for every sweep: which value was chosen."""
    lines = []
    for results in runs:
        for label, title in results.config["defenses"].items():
            lacking = Role("selection", label) in results.missing
            selection = None if lacking else results.selection(label)
            if selection is None:
                continue
            lost = sum("diverged" in row for row in selection["candidates"])
            lines.append(
                f"{results.config['title']}: {title} chosen at {selection['chosen']:g} of "
                f"{len(selection['candidates'])} values" + (f" ({lost} diverged)" if lost else "")
            )
    return lines


def class_lines(runs: Sequence[Results]) -> list[str]:
    """Return, once a dataset, how many images its classes have, and what makes that doubtful."""
    lines: list[str] = []
    for results in runs:
        counts = results.evaluation().get("class_counts")
        if counts is None:  # evaluated with an earlier version
            continue
        names, dataset = results.class_names, results.config["dataset"]["name"]
        said = [describe_counts(counts, names), *doubt_counts(counts, names)]
        lines += [f"{dataset}: {each}" for each in said]
    return list(dict.fromkeys(lines))


def checks_table(paper: str, checks: Sequence[Check]) -> Table:
    """Return the verdicts on a paper's claims, with the numbers that they rest on."""
    table = Table(title=f"Claims of {paper}", title_justify="left", show_lines=True)
    for name in ("claim", "dataset"):
        table.add_column(name, no_wrap=True)
    table.add_column("statement", ratio=1)
    table.add_column("measured [95 %]", justify="right", no_wrap=True)
    table.add_column("bound", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for check in checks:
        table.add_row(
            check.claim,
            check.dataset,
            "\n".join(filter(None, (check.statement, check.notes))),
            "\n".join(filter(None, (check.measured, check.chance))),
            f"{check.relation} {check.bound:g}",
            Text(check.told, _VERDICT_STYLES[check.verdict]),
        )
    return table


def _accuracy_table(seeds: Sequence[Results]) -> Table:
    first, evaluations = seeds[0], [results.evaluation() for results in seeds]
    table = Table(title=first.config["title"], title_justify="left")
    table.add_column("defense", no_wrap=True)
    table.add_column("clean", justify="right")
    for attack, title in first.config["attacks"].items():
        table.add_column(title + _of(evaluations[0]["examples"][attack]), justify="right")
    table.add_column("zero gradients", justify="right")
    reasons = {label: doubted(seeds, label) for label in first.config["defenses"]}
    for label, title in first.config["defenses"].items():
        models = [evaluation["models"].get(label, {}) for evaluation in evaluations]
        attacked = [
            [e["examples"].get(attack, {}).get(label) for e in evaluations]
            for attack in first.config["attacks"]
        ]
        zero = [model["zero_gradient_share"] for model in models if "zero_gradient_share" in model]
        table.add_row(
            marked(title, reasons[label]),
            _mean([model.get("clean_accuracy") for model in models]),
            *(
                _under_attack([made and made["tested"][label] for made in each])
                for each in attacked
            ),
            f"{fmean(zero):.0%}" if len(zero) == len(models) else _FAILED,
        )
    table.caption = (
        f"Accuracy on {evaluations[0]['images']} test images; each attack on its own model, after "
        "rounding to 8 bits."
    )
    if any("accuracy_float" in each for each in _tested(evaluations)):
        table.caption += " In brackets before rounding."
    for ball in _balls(first):
        table.caption += f" {ball}"
    if len(seeds) > 1:
        table.caption += f" Mean and standard deviation over {len(seeds)} seeds."
    if any(results.missing for results in seeds):
        table.caption += f" {_FAILED}: it could not be made; the end of the run says why."
    if said := legend(set().union(*reasons.values())):
        table.caption += (
            f" {said} What a marked model keeps under one of these attacks is no evidence of "
            "robustness; the report has the worst case."
        )
    return table


def _tested(evaluations: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, float]]:
    """Yield what is known of each model on each attack's examples."""
    for evaluation in evaluations:
        for of_attack in evaluation["examples"].values():
            for made in of_attack.values():
                yield from made["tested"].values()


def _balls(results: Results) -> Iterator[str]:
    """Name the ball of each attack whose eps is no whole number of the 255 levels."""
    for attack, title in results.config["attacks"].items():
        made = (Role("examples", label, attack) for label in results.config["defenses"])
        there = next((role for role in made if results.has(role)), None)
        if there is None:
            continue
        params = results.artifact(there).recipe.config["attack"]
        norm, space = params.get("norm", "linf"), params.get("space", "pixels")
        if params.get("eps") is None or (norm, space) != ("linf", "pixels"):
            continue
        if not is_whole(float(params["eps"])):
            yield f"{title}: ε = {eps_words(float(params['eps']))}."


def _under_attack(tested: Sequence[Mapping[str, float] | None]) -> str:
    """Return accuracies after rounding over the seeds, and where known those before it."""
    known = [each or {} for each in tested]
    after = _mean([each.get("accuracy") for each in known])
    before = [each.get("accuracy_float") for each in known]
    return after if None in before else f"{after} ({_mean(before)})"


def _of(examples: Mapping[str, Mapping[str, Any]]) -> str:
    """Return on how many images an attack was made, where it was not on all."""
    counts = {made["images"] for made in examples.values() if "images" in made}
    return f" (n = {max(counts)})" if counts else ""


def _mean(values: Sequence[float | None]) -> str:
    """Return mean and deviation over the seeds, unless something failed with one of them."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return _FAILED
    spread = f" ±{stdev(known):.3f}" if len(known) > 1 else ""
    return f"{fmean(known):.3f}{spread}"

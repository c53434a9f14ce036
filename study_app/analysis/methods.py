"""The methods of a study in words, ready to be pasted: from its file, its design and its data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from engine.robustness.marks import MARKS
from study_app.analysis.findings import Findings
from study_app.analysis.formats import counted, number
from study_app.analysis.stages import StageView
from study_app.design import sizes
from study_app.study import Study

Paragraph = tuple[str, Sequence[str]]
"""A heading, and sentences."""


def methods(
    found: Findings,
    view: StageView,
    study: Study,
    passports: Mapping[str, Mapping[str, Any]],
    doubts: Mapping[str, Sequence[str]] | None,
) -> list[Paragraph]:
    """Return paragraphs: people, design, stimuli, doubt, display, exclusions, analysis.

    Args:
        found: what the data say.
        view: the stage.
        study: the version that the methods are of.
        passports: of its stimuli, by id.
        doubts: reasons to doubt each model that is shown, by its label; None: the experiment is
            not on this machine.
    """
    return [
        ("Participants", _people(found, view)),
        ("Design", _design(study, view)),
        ("Stimuli", _stimuli(found, view, passports)),
        ("Models in doubt", _doubt(study, doubts)),
        ("Display", _display(view.ratings)),
        ("Exclusions", _exclusions(found, study)),
        ("Analysis", _analysis(found)),
    ]


def _people(found: Findings, view: StageView) -> list[str]:
    seen = found.flow
    said = [f"{counted(seen.consented, 'person', 'people')} consented."]
    if "received_utc" in view.ratings and len(view.ratings):
        times = view.ratings["received_utc"].dropna().astype(str).str[:10]
        said.append(f"Answers came from {times.min()} to {times.max()}.")
    gone = {"were screened out": seen.screened_out, "failed the check": seen.failed_check}
    said += [f"{count} {words} and took no part." for words, count in gone.items() if count]
    if seen.withdrew:
        said.append(f"{seen.withdrew} withdrew; their data are deleted.")
    for branch in seen.arms:
        arm = f" ({found.arms.get(branch.arm, branch.arm)})" if len(seen.arms) > 1 else ""
        said.append(
            f"{branch.admitted} were admitted{arm}, {branch.finished} finished, and the answers of "
            f"{branch.analysed} are analysed."
        )
    if found.stage == "simulated":
        said.insert(0, "All participants are simulated.")
    return said


def _design(study: Study, view: StageView) -> list[str]:
    said = []
    for label, arm in study.all_arms.items():
        shown = study.of_arm(label)
        each = ", ".join(f"{c.title} ({c.presentations})" for c in shown.values())
        lists = study.lists(label)
        several = len(study.all_arms) > 1
        who = f"People of the arm {arm.title} saw" if several else "Each person saw"
        said.append(
            f"{who} {study.presentations(label)} presentations: {each}; before them "
            f"{study.practice} for practice with feedback, and among them {study.catch} catch "
            f"presentations with a known answer. Source images and conditions were counterbalanced "
            f"over {counted(lists, 'list')}."
        )
    said.append("Order, sides and foils were drawn for each person before their first trial.")
    said.append(
        "Every person saw the same source images in all conditions."
        if study.repeats
        else "Nobody saw a source image twice."
    )
    asked = {q.name: q for c in study.conditions.values() for q in study.asked(c)}
    each = "; ".join(f"“{question.prompt}” ({name})" for name, question in asked.items())
    said.append(f"What was asked: {each}.")
    timed = [
        f"{q.name}: " + ", ".join(_times(q.exposure_ms, q.response_window_ms))
        for q in asked.values()
        if q.exposure_ms is not None or q.response_window_ms is not None
    ]
    if timed:
        said.append(f"Times: {'; '.join(timed)}.")
    said.append(
        f"The study {view.version.name} is version {view.version.version} "
        f"(SHA-256 {view.version.content_sha256})."
    )
    return said


def _times(exposure: int | None, window: int | None) -> list[str]:
    shown = (
        [] if exposure is None else [f"shown for {exposure} ms" if exposure else "not shown again"]
    )
    return shown + ([] if window is None else [f"answer within {window} ms"])


def _stimuli(
    found: Findings, view: StageView, passports: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    sources = {
        (p["source"]["dataset"], p["source"]["split"], p["source"]["data_sha256"])
        for p in passports.values()
    }
    said = [
        f"Source images are of the {split} split of {dataset} (SHA-256 of the data {sha})."
        for dataset, split, sha in sorted(sources)
    ]
    attacks = Counter(
        (p["kind"], p["attack"]["name"], _parameters(p["attack"]["params"]))
        for p in passports.values()
        if p.get("attack")
    )
    for kind, name, params in sorted(attacks):
        made = "Adversarial examples" if kind == "adversarial" else "Controls"
        said.append(f"{made} were made by {name}{f' ({params})' if params else ''}.")
    if attacks:
        said.append(
            "A mistake is an example whose 8-bit pixels the model takes for the attack's target; "
            "that is never its true class."
        )
    attrition = view.version.design.get("attrition", {})
    for name, facts in attrition.items():
        if "attempted" in facts:
            said.append(
                f"{name}: {facts['succeeded']} of {facts['attempted']} attacks succeeded, "
                f"{facts['rounded_away']} were lost by rounding to 8 bits, and {facts['usable']} "
                "images were usable."
            )
    left = attrition.get("usable", {}).get("in every condition")
    if left is not None:
        said.append(f"{left} images could be shown in every condition.")
    if view.shown:
        lines = sizes.lines(view.shown, found.conditions)
        said.append(f"What was shown, medians with quartiles: {'; '.join(lines)}.")
    return said


def _parameters(params: Mapping[str, Any]) -> str:
    told = {k: v for k, v in params.items() if v is not None and not isinstance(v, dict)}
    like = params.get("like")
    said = ", ".join(f"{key} {value}" for key, value in told.items())
    if isinstance(like, dict):
        said = ", ".join(filter(None, (said, f"as large as {like.get('name')}")))
    return said


def _doubt(study: Study, doubts: Mapping[str, Sequence[str]] | None) -> list[str]:
    if doubts is None:
        return [
            "The experiment is not on this machine: whether its models' robustness is to be "
            "doubted was not looked up."
        ]
    shown = dict.fromkeys(
        p.defense for c in study.conditions.values() for p in c.shown_pictures if p.defense
    )
    held = {label: doubts[label] for label in shown if doubts.get(label)}
    if not held:
        return ["No model that is shown gave reason to doubt its robustness."]
    return [
        f"{label} {''.join(MARKS.get(reason, '') for reason in reasons)}: {', '.join(reasons)}."
        for label, reasons in held.items()
    ]


def _display(ratings: pd.DataFrame) -> list[str]:
    def values(name: str) -> pd.Series[Any]:
        return ratings[name].dropna() if name in ratings else pd.Series(dtype=object)

    said = []
    drawn = values("rendering")
    if len(drawn):
        exact = f"{(drawn == 'exact').mean():.0%}".replace("%", " %")
        said.append(
            f"Pictures were enlarged by whole numbers without smoothing, and read back: exact in "
            f"{exact} of the trials."
        )
    sizes_css, factors = values("display_css_px"), values("upscale_factor")
    if len(sizes_css):
        low, median, high = sizes_css.astype(float).quantile([0.25, 0.5, 0.75])
        said.append(f"Their side was {median:g} CSS pixels (median; quartiles {low:g}, {high:g}).")
    if len(factors):
        low, high = factors.astype(float).min(), factors.astype(float).max()
        said.append(f"Each pixel became {low:g} to {high:g} device pixels a side.")
    inputs = values("input")
    if len(inputs):
        each = inputs.value_counts(normalize=True)
        told = ", ".join(f"{name} {share:.0%}".replace("%", " %") for name, share in each.items())
        said.append(f"Answers were given by: {told}.")
    said.append("Reaction times are from the first painted frame to the answer's own input event.")
    return said


def _exclusions(found: Findings, study: Study) -> list[str]:
    if not study.exclusions:
        return ["The study file declares no rule: nothing was excluded."]
    held = {each.rule: each for each in found.exclusions}
    said = []
    for rule in study.exclusions:
        config = {k: v for k, v in rule.config().items() if k != "rule"}
        values = ", ".join(f"{key} {json.dumps(value)}" for key, value in config.items())
        what = (type(rule).__doc__ or rule.name).strip().split("\n")[0].replace("`", "")
        hit = held.get(rule.name)
        count = (
            f" It excludes {counted(hit.answers, 'answer')} of "
            f"{counted(hit.people, 'person', 'people')}."
            if hit
            else ""
        )
        said.append(f"{rule.name}{f' ({values})' if values else ''}: {what}{count}")
    said.append(
        "Everybody was judged by the version that they consented to. "
        + (
            "Excluded answers are counted here."
            if found.with_excluded
            else "They stay in the data that are exported."
        )
    )
    return said


def _analysis(found: Findings) -> list[str]:
    said = [found.registration.said]
    plan = found.registration.plan
    if plan is not None and plan.smallest_effect is not None:
        said.append(f"The smallest effect that matters: {number(plan.smallest_effect)}.")
    said += [
        "Each person counts equally. Intervals are of 95 % with two-way cluster-robust variance "
        "over people and images and Student’s t with Satterthwaite’s degrees of freedom; those of "
        "shares are Wilson’s with the effective number of ratings.",
        "Differences are tested by the two-way cluster t, and corrected by Holm within a family."
        if plan is None or plan.test == "cluster_t"
        else "Differences of shares are tested by the likelihood ratio of a logistic model with "
        "crossed random effects of people and images.",
        f"Of {counted(found.basis.main, 'rating')} of main trials {found.basis.excluded} were "
        f"excluded and {found.basis.timed_out} not answered in time.",
    ]
    return said

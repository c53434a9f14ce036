"""Screening, comprehension check and demographics: which form is due, and what an answer leads to.

What would pass stays on the server: the browser gets neither `accept` nor `correct`, nor the bounds
of a number in screening, and is never told which answer was wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from db.repository import FormAttempt
from study_app import forms
from study_app.participation.endings import Ending
from study_app.study import wording

Form = Literal["screening", "comprehension", "demographics"]
Result = Literal["stored", "passed", "again", "failed"]


@dataclass(frozen=True)
class Due:
    """The form that somebody has to fill in next, and for which time."""

    form: Form
    attempt: int


def due(
    config: Mapping[str, Any], status: str, sent: Sequence[FormAttempt], *, answered: bool
) -> Due | None:
    """Return the form that is due now.

    Args:
        config: the stored study.
        status: the participant's.
        sent: the forms they have sent.
        answered: whether they have answered every trial.
    """
    if status == "consented":
        if config.get("screening") and not any(s.form == "screening" for s in sent):
            return Due("screening", 1)
        checks = [s for s in sent if s.form == "comprehension"]
        if config.get("comprehension") and not any(check.passed for check in checks):
            return Due("comprehension", len(checks) + 1)
    if status == "admitted" and answered and config.get("demographics"):
        return None if any(s.form == "demographics" for s in sent) else Due("demographics", 1)
    return None


def shown(config: Mapping[str, Any], wanted: Due, language: str) -> dict[str, Any]:
    """Return what the browser gets of a form."""
    stored = config[wanted.form]
    say = wording(config, language).say
    return {
        "form": wanted.form,
        "items": [
            forms.Item.model_validate(item).view(say) for item in _items(config, wanted.form)
        ],
        "device": stored.get("device"),
        "calibration": stored.get("calibration", False),
        "attempt": wanted.attempt,
        "attempts": stored.get("attempts", 1),
    }


def read(config: Mapping[str, Any], form: Form, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers to a form, checked. Raises FormError."""
    return forms.read(_items(config, form), answers)


def unfit(config: Mapping[str, Any], form: Form, answers: Mapping[str, Any]) -> str | None:
    """Return the name of the first item whose answer `read` does not take, if it is one's fault."""
    for item in _items(config, form):
        try:
            forms.read([item], {k: v for k, v in answers.items() if k == item["name"]})
        except forms.FormError:
            return str(item["name"])
    return None


def passes(
    config: Mapping[str, Any],
    form: Form,
    answers: Mapping[str, Any],
    device: Mapping[str, Any] | None,
) -> bool | None:
    """Return whether checked answers let somebody go on; None where nothing is judged."""
    items = config[form]["items"]
    if form == "screening":
        rules = config[form].get("device")
        return all(_accepted(item, answers[item["name"]]) for item in items) and (
            not rules or (device is not None and _fits(rules, device))
        )
    if form == "comprehension":
        return all(answers[i["name"]] == i["correct"] for i in items if i["correct"] is not None)
    return None


def result(config: Mapping[str, Any], sent: FormAttempt) -> Result:
    """Return what an attempt at a form led to."""
    if sent.passed is None:
        return "stored"
    if sent.passed:
        return "passed"
    return "again" if sent.attempt < config[sent.form].get("attempts", 1) else "failed"


def outcome(form: Form, result: Result) -> Ending | None:
    """Return how a participation ends with a form's result; None where it goes on."""
    if result == "failed":
        return "screened_out" if form == "screening" else "failed_check"
    return "complete" if form == "demographics" else None


def _items(config: Mapping[str, Any], form: Form) -> list[Mapping[str, Any]]:
    """The form's items as they are asked: in screening a number may be any, its bounds decide."""
    items: list[Mapping[str, Any]] = config[form]["items"]
    if form != "screening":
        return items
    return [
        {**item, "low": None, "high": None} if item["kind"] == "number" else item for item in items
    ]


def _accepted(item: Mapping[str, Any], answer: Any) -> bool:
    if item["kind"] == "number":
        low, high = item["low"], item["high"]
        if answer is None:
            return low is None and high is None
        return (low is None or answer >= low) and (high is None or answer <= high)
    if item["accept"] is None:
        return True
    given = answer if isinstance(answer, list) else [answer]
    return all(value in item["accept"] for value in given)


def _fits(rules: Mapping[str, Any], device: Mapping[str, Any]) -> bool:
    """Whether the window is large enough and there is the pointer that the study needs.

    Many laptops have a touch screen beside the mouse: only a browser that does not say whether
    there is a mouse is taken to have none where there is touch.
    """
    wide = device["window_w"] >= (rules.get("min_width") or 0)
    high = device["window_h"] >= (rules.get("min_height") or 0)
    mouse = not device["touch"] if device["mouse"] is None else device["mouse"]
    pointers = {"any": True, "mouse": mouse, "touch": device["touch"]}
    return bool(wide and high and pointers[rules.get("pointer", "any")])

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
from study_app.forms import Comprehension, Demographics, Device, Item, Screening
from study_app.participation.endings import Ending
from study_app.study import Study, wording

Form = Literal["screening", "comprehension", "demographics"]
Result = Literal["stored", "passed", "again", "failed"]


@dataclass(frozen=True)
class Due:
    """The form that somebody has to fill in next, and for which time."""

    form: Form
    attempt: int


def due(study: Study, status: str, sent: Sequence[FormAttempt], *, answered: bool) -> Due | None:
    """Return the form that is due now.

    Args:
        study: what somebody takes part in.
        status: the participant's.
        sent: the forms they have sent.
        answered: whether they have answered every trial.
    """
    if status == "consented":
        if study.screening and not any(s.form == "screening" for s in sent):
            return Due("screening", 1)
        checks = [s for s in sent if s.form == "comprehension"]
        if study.comprehension and not any(check.passed for check in checks):
            return Due("comprehension", len(checks) + 1)
    if status == "admitted" and answered and study.demographics:
        return None if any(s.form == "demographics" for s in sent) else Due("demographics", 1)
    return None


def shown(study: Study, wanted: Due, language: str) -> dict[str, Any]:
    """Return what the browser gets of a form."""
    form = study.forms[wanted.form]
    screening = form if isinstance(form, Screening) else Screening()
    say = wording(study, language).say
    return {
        "form": wanted.form,
        "items": [item.view(say) for item in _asked(form)],
        "device": screening.device and screening.device.model_dump(mode="json"),
        "calibration": screening.calibration,
        "attempt": wanted.attempt,
        "attempts": form.tries,
    }


def read(study: Study, form: Form, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers to a form, checked. Raises FormError."""
    return forms.read([item.view(str) for item in _asked(study.forms[form])], answers)


def unfit(study: Study, form: Form, answers: Mapping[str, Any]) -> str | None:
    """Return the name of the first item whose answer `read` does not take, if it is one's fault."""
    for item in _asked(study.forms[form]):
        try:
            forms.read([item.view(str)], {k: v for k, v in answers.items() if k == item.name})
        except forms.FormError:
            return item.name
    return None


def passes(
    study: Study, form: Form, answers: Mapping[str, Any], device: Mapping[str, Any] | None
) -> bool | None:
    """Return whether checked answers let somebody go on; None where nothing is judged."""
    declared = study.forms[form]
    if isinstance(declared, Screening):
        rules = declared.device
        return all(_accepted(item, answers[item.name]) for item in declared.items) and (
            rules is None or (device is not None and _fits(rules, device))
        )
    if isinstance(declared, Comprehension):
        return all(
            answers[item.name] == item.correct
            for item in declared.items
            if item.correct is not None
        )
    return None


def result(study: Study, sent: FormAttempt) -> Result:
    """Return what an attempt at a form led to."""
    if sent.passed is None:
        return "stored"
    if sent.passed:
        return "passed"
    return "again" if sent.attempt < study.forms[sent.form].tries else "failed"


def outcome(form: Form, result: Result) -> Ending | None:
    """Return how a participation ends with a form's result; None where it goes on."""
    if result == "failed":
        return "screened_out" if form == "screening" else "failed_check"
    return "complete" if form == "demographics" else None


def _asked(form: Screening | Comprehension | Demographics) -> list[Item]:
    """The form's items as they are asked: in screening a number may be any, its bounds decide."""
    if not isinstance(form, Screening):
        return list(form.items)
    unbounded = {"low": None, "high": None}
    return [
        item.model_copy(update=unbounded) if item.kind == "number" else item for item in form.items
    ]


def _accepted(item: Item, answer: Any) -> bool:
    if item.kind == "number":
        if answer is None:
            return item.low is None and item.high is None
        return (item.low is None or answer >= item.low) and (
            item.high is None or answer <= item.high
        )
    if item.accept is None:
        return True
    given = answer if isinstance(answer, list) else [answer]
    return all(value in item.accept for value in given)


def _fits(rules: Device, device: Mapping[str, Any]) -> bool:
    """Whether the window is large enough and there is the pointer that the study needs.

    Many laptops have a touch screen beside the mouse: only a browser that does not say whether
    there is a mouse is taken to have none where there is touch.
    """
    wide = device["window_w"] >= rules.min_width
    high = device["window_h"] >= rules.min_height
    mouse = not device["touch"] if device["mouse"] is None else device["mouse"]
    pointers = {"any": True, "mouse": mouse, "touch": device["touch"]}
    return bool(wide and high and pointers[rules.pointer])

"""How long a study takes, and after how long a silence somebody has left it."""

from __future__ import annotations

from datetime import timedelta

from db.repository import LONGEST_SILENCE
from study_app.study.study_file import Study

SECONDS_A_PICTURE, SECONDS_A_QUESTION, SECONDS_AN_ITEM = 1.0, 3.0, 6.0
"""What a careful participant takes, roughly: a presentation of two questions seven seconds."""

SHORTEST_SILENCE = timedelta(minutes=5)
"""A door bell, or the phone: nobody loses their place by it, however short the study is."""


def minutes(study: Study) -> float:
    """Return about how long the longest arm takes, from the first picture to the debrief."""
    return max(_seconds(study, arm) for arm in study.all_arms) / 60


def silence(study: Study) -> timedelta:
    """Return how long somebody who takes part may be silent before their place may be given away.

    As long as the whole study takes, but at least SHORTEST_SILENCE and at most LONGEST_SILENCE.
    """
    whole = timedelta(minutes=round(minutes(study)))
    return min(max(whole, SHORTEST_SILENCE), LONGEST_SILENCE)


def _seconds(study: Study, arm: str) -> float:
    conditions = [study.conditions[label] for label in study.all_arms[arm].conditions]
    per_showing = [
        SECONDS_A_PICTURE * len(c.shown_pictures) + SECONDS_A_QUESTION * len(study.asked(c))
        for c in conditions
    ]
    shown = sum(each * c.presentations for each, c in zip(per_showing, conditions, strict=True))
    shown += max(per_showing) * (study.practice + study.catch)
    forms = [form for form in (study.screening, study.comprehension, study.demographics) if form]
    return shown + SECONDS_AN_ITEM * sum(len(form.items) for form in forms)

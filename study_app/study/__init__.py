"""A study file: what it declares, checked, and its words in every language."""

from study_app.study.conditions import (
    MOST_PICTURES,
    Condition,
    Phase,
    Picture,
    answerable,
    obvious,
    requirements,
    speaks_of_a_label,
    undisturbed_facts,
)
from study_app.study.differences import Difference, briefly, differences
from study_app.study.duration import minutes, silence
from study_app.study.schema import study
from study_app.study.stored_study import (
    StoredStudy,
    UnreadableStudyError,
    stored_study,
    study_of,
)
from study_app.study.study_file import ALL, BUILT_IN, Quota, Study, load
from study_app.study.wording import Texts, Wording, languages, markdown_html, wording

__all__ = [
    "ALL",
    "BUILT_IN",
    "MOST_PICTURES",
    "Condition",
    "Difference",
    "Phase",
    "Picture",
    "Quota",
    "StoredStudy",
    "Study",
    "Texts",
    "UnreadableStudyError",
    "Wording",
    "answerable",
    "briefly",
    "differences",
    "languages",
    "load",
    "markdown_html",
    "minutes",
    "obvious",
    "requirements",
    "silence",
    "speaks_of_a_label",
    "stored_study",
    "study",
    "study_of",
    "undisturbed_facts",
    "wording",
]

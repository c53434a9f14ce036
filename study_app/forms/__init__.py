"""Forms before and after the trials: their questions, and what answers are accepted."""

from study_app.forms.items import (
    Choice,
    Comprehension,
    Demographics,
    Device,
    FormError,
    Item,
    Screening,
    canonical,
    read,
)
from study_app.forms.plain_text import plain

__all__ = [
    "Choice",
    "Comprehension",
    "Demographics",
    "Device",
    "FormError",
    "Item",
    "Screening",
    "canonical",
    "plain",
    "read",
]

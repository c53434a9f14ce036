"""The words of the studies in these tests."""

from __future__ import annotations

from study_app.participant import ParticipantTexts, markdown_html
from study_app.player import ui_strings

CONSENT = """
In this study you look at small pictures of handwritten digits and say what you see in them.
Some of them were changed by a computer program.

- It takes about **five minutes**.
- Taking part is voluntary. You can stop at any moment, and have your answers deleted.
- We store your answers and how long each took, nothing about who you are.

By agreeing you confirm that you are at least 18 years old. <b>Raw</b> HTML stays text.
"""
INSTRUCTIONS = """
You will see one picture at a time, and two questions about each:

1. **Which label fits best?** Choose the digit you see, or say that you can't tell.
2. A computer gave the picture a label. **Could a person reasonably say so?**

There are no trick questions; your first impression counts. Use the keys shown, or tap.
We begin with a short practice.
"""


def load(study: str) -> ParticipantTexts | None:
    """The texts of every study but ``unknown``; ``closed`` takes nobody."""
    if study == "unknown":
        return None
    return ParticipantTexts(
        study=study,
        title="How do people see changed digits?",
        language="en",
        consent_html=markdown_html(CONSENT),
        consent_sha256="c" * 64,
        consent_version="1",
        instructions_html=markdown_html(INSTRUCTIONS),
        ui=ui_strings("en"),
        open=study != "closed",
    )

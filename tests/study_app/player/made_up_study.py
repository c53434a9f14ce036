"""The words of the studies in these tests, and the page's data made of them."""

from __future__ import annotations

from typing import Any

from study_app.player import ui_strings
from study_app.study import markdown_html

CONSENT_SHA256 = {"en": "c" * 64, "de": "d" * 64, "ja": "e" * 64}
TITLE = {
    "en": "How do people see changed digits?",
    "de": "Wie sehen Menschen veränderte Ziffern?",
    "ja": "人は変化した数字をどう見るか",
}
CONSENT = {
    "en": """
In this study you look at small pictures of handwritten digits and say what you see in them.
Some of them were changed by a computer program.

- It takes about **five minutes**.
- Taking part is voluntary. You can stop at any moment, and have your answers deleted.
- We store your answers and how long each took, nothing about who you are.

By agreeing you confirm that you are at least 18 years old. <b>Raw</b> HTML stays text.
""",
    "de": """
In dieser Studie sehen Sie kleine Bilder handgeschriebener Ziffern und sagen, was Sie darin
erkennen. Einige davon hat ein Computerprogramm verändert.

- Die Teilnahme dauert etwa **fünf Minuten** und ist freiwillig.
- Wir speichern Ihre Antworten und die Zeit, die Sie dafür brauchen, sonst nichts.
""",
    "ja": """
この研究では、手書きの数字の小さな画像を見て、何に見えるかを答えていただきます。
画像の一部はコンピュータープログラムによって変えられています。

- 所要時間は**約5分**です。参加は任意です。
- 保存するのは回答と回答時間だけです。
""",
}
INSTRUCTIONS = {
    "en": """
You will see one picture at a time, and two questions about each:

1. **Which label fits best?** Choose the digit you see, or say that you can't tell.
2. A computer gave the picture a label. **Could a person reasonably say so?**

There are no trick questions; your first impression counts. Use the keys shown, or tap.
We begin with a short practice.
""",
    "de": "Sie sehen **ein Bild nach dem anderen**. Es zählt Ihr erster Eindruck.",
    "ja": "画像が**1枚ずつ**表示されます。第一印象で答えてください。",
}


def player_data(
    study: str,
    language: str = "en",
    several: bool = False,
    person: str | None = None,
    refused: str | None = None,
    shared: bool = False,
) -> dict[str, Any]:
    """The page's data of every study but ``unknown``; ``closed`` takes nobody.

    Args:
        study: name of the study.
        language: the one shown first.
        several: whether participants may choose among all languages.
        person: their id, if the study's provider gives one.
        refused: the error of the study's refusal, or its reason where they are not invited.
        shared: whether the device is everybody's.
    """
    unknown = study == "unknown"
    tags = list(TITLE) if several else [language]
    return {
        "status": study if study in ("unknown", "closed") else "open",
        "study": "" if unknown else study,
        "language": language,
        "languages": [] if unknown else tags,
        "consent_version": "1",
        "provider": {"name": "direct", "id": person, "session": None},
        "no_consent": {"code": None, "redirect": None},
        "refusal": _refusal(refused),
        "shared_device": shared,
        "wordings": {} if unknown else {tag: _wording(tag) for tag in tags},
        **_wording(language),
    }


def _refusal(refused: str | None) -> dict[str, str] | None:
    if refused in (None, "full"):
        return refused and {"error": refused}
    return {"error": "not_invited", "reason": str(refused)}


def _wording(language: str) -> dict[str, Any]:
    known = language if language in TITLE else "en"  # as where the player does not speak it
    return {
        "title": TITLE[known],
        "consent_html": markdown_html(CONSENT[known]),
        "consent_sha256": CONSENT_SHA256[known],
        "instructions_html": markdown_html(INSTRUCTIONS[known]),
        "ui": ui_strings(known),
    }

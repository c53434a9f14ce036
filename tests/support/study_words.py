"""Which words of a study people must have seen, computed from the study itself.

Words are compared without white space: a browser may break a line anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from typing import Any

from study_app.player.assets import player_html
from study_app.study import Study, Wording, markdown_html

BLOCKS = {"p", "li", "ul", "ol", "h1", "h2", "h3", "h4", "blockquote", "pre", "br", "hr"}
SECTION = re.compile(r'<section[^>]* data-screen="([^"]+)">(.*?)</section>', re.DOTALL)
PLACES = {"label": ".+", "confidence": "[0-9]+"}
"""What stands in a phrase for what is filled in, and what that looks like."""


def squeezed(text: str) -> str:
    """The text without white space."""
    return "".join(text.split())


class _Blocks(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts = [""]

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag in BLOCKS:
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.handle_starttag(tag, None)

    def handle_data(self, data: str) -> None:
        self.texts[-1] += data


def paragraphs(markdown: str) -> list[str]:
    """The text of each paragraph and list item, as it reads when rendered."""
    reader = _Blocks()
    reader.feed(markdown_html(markdown))
    reader.close()
    return [text for text in map(str.strip, reader.texts) if text]


def pattern(phrase: str) -> re.Pattern[str]:
    """What a phrase of a study file looks like with its label filled in, squeezed."""
    escaped = re.escape(squeezed(phrase))
    for name, looks in PLACES.items():
        escaped = escaped.replace(re.escape(f"{{{name}}}"), looks)
    return re.compile(escaped)


def of_the_player(screen: str, ui: Mapping[str, str]) -> list[str]:
    """What the player itself always says on a screen."""
    sections = re.findall(
        r'<section[^>]* data-screen="([^"]+)">(.*?)</section>', player_html(), re.S
    )
    (body,) = [body for names, body in sections if screen in names.split()]
    tags = re.findall(r'<[^>]* data-text="(\w+)"[^>]*>', body)
    hidden = re.findall(r'<[^>]* data-text="(\w+)"[^>]* hidden', body)
    return [ui[key] for key in tags if key not in hidden]


def of_questions(study: Study, arm: str, words: Wording) -> list[re.Pattern[str]]:
    """Every phrase that the questions of an arm have, in a language."""
    conditions = [study.conditions[label] for label in study.all_arms[arm].conditions]
    phrases = {p for c in conditions for q in study.asked(c) for p in q.phrases()}
    phrases |= {p.caption for c in conditions for p in c.shown_pictures if p.caption}
    return [pattern(words.say(phrase)) for phrase in sorted(phrases)]


def of_a_form(study: Study, form: str, words: Wording, ui: Mapping[str, str]) -> list[str]:
    """Everything that a form says."""
    asked = getattr(study, form)
    return [ui[f"{form}_title"], ui[f"{form}_text"], *map(words.say, asked.phrases())]


def of_a_view(view: Mapping[str, Any]) -> Iterable[str]:
    """Everything that one trial says."""
    yield view["prompt"]
    yield from [view.get("note", ""), *view.get("captions", []), *view.get("ends", [])]
    for part in (view, *view.get("items", [])):
        yield from (option["label"] for option in part["options"])
    yield from (item["prompt"] for item in view.get("items", []))

"""The sheet of a preview: what a study file says is text in it, whatever it says."""

from __future__ import annotations

from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest
import yaml

from engine import results
from study_app import study
from study_app.design import preview

DEMO = yaml.safe_load((study.BUILT_IN / "demo.yaml").read_text()) | {"analysis": None}
HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</title></style>&lt;b>",
)
WRITTEN = {
    *("meta", "title", "style", "h1", "h2", "main", "article", "section", "small", "div", "img"),
    *("p", "br", "strong", "em", "ul", "ol", "li"),
}
"""The elements of the sheet and of Markdown."""


class Sheet(HTMLParser):
    """The elements, attributes and text of a sheet."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.sources: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.sources |= {value[:22] for name, value in attrs if name == "src"}

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_a_study_says_stays_text(store, tmp_path, hostile):
    label, plausible = DEMO["questions"]
    asked = {"name": "trap", "kind": "choice", "prompt": f"form {hostile}"}
    options = [{"value": "a", "label": f"option {hostile}"}, {"value": "b", "label": "b"}]
    document = {
        **DEMO,
        "translations": {},
        "questions": [
            {**label, "prompt": f"prompt {hostile}", "cant_tell": f"choice {hostile}"},
            plausible,
        ],
        "demographics": {"items": [{**asked, "options": options}]},
        "texts": {**DEMO["texts"], "consent": f"consent {hostile}"},
    }
    seen = preview.draw(study.Study(**document), results.find(store, "demo"))
    one, *others = seen.plan
    seen = replace(
        seen,
        study=seen.study.model_copy(update={"name": f"title {hostile}"}),
        plan=[replace(one, condition=f"condition {hostile}", role=f"role {hostile}"), *others],
    )
    seen.write(tmp_path / "sheet.html")
    sheet = Sheet((tmp_path / "sheet.html").read_text())
    assert sheet.tags <= WRITTEN
    assert sheet.attributes <= {"charset", "alt", "width", "height", "src"}
    assert sheet.sources == {"data:image/png;base64,"}
    for what in ("title", "prompt", "choice", "form", "option", "condition", "role"):
        assert f"{what} {hostile}" in sheet.text
    # In Markdown an entity is a character.
    assert f"consent {unescape(hostile)}" in sheet.text

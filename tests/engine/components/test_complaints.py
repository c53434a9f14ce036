"""What is wrong with a document is said with its line, what was meant, and all at once."""

from typing import ClassVar

import pytest
from pydantic import Field, ValidationError, model_validator

from engine.components import Document, complaints


class Part(Document):
    words: str
    size: int = 1


class Whole(Document):
    apart: ClassVar[frozenset[str]] = frozenset({"limit"})

    name: str
    limit: int = 1
    parts: dict[str, Part] = Field(default_factory=dict)
    rows: tuple[Part, ...] = ()

    @model_validator(mode="after")
    def _names_fit(self):
        if self.name in self.parts:
            raise ValueError(f"parts.{self.name}: is called as the whole")
        return self


def said(text):
    document = complaints.yaml.safe_load(text)
    with pytest.raises(ValidationError) as error:
        Whole(**document)
    return complaints.in_words(Whole, document, error.value, text)


def test_every_place_has_its_line():
    text = "name: a\nparts:\n  one: {words: b}\n  two:\n    words: c\n    size: x\nrows:\n  - {}\n"
    (size, row) = said(text)
    assert size.startswith("  parts.two.size: ")
    assert size.endswith("(line 6)")
    assert row == "  rows.0.words: Field required (line 8)"


def test_an_unknown_key_comes_with_the_one_that_is_meant():
    assert said("nam: a\nname: b\nparts:\n  one: {words: c, sise: 2}\n") == [
        "  parts.one.sise: unknown key (did you mean 'size'?); known: size, words (line 4)",
        "  nam: unknown key (did you mean 'name'?); known: limit, name, parts, rows (line 1)",
    ]


@pytest.mark.parametrize(
    ("value", "what"),
    [("yes", "yes, no, on, off, true and false without quotes as true or false"),
     ("12", "as a number"), ("1.5", "as a number"), ("2026-01-01", "as a date")],
)  # fmt: skip
def test_what_yaml_made_of_words_without_quotes_is_told(value, what):
    (line,) = said(f"name: {value}\n")
    assert f"YAML reads {what}" in line.replace("reads it as", "reads as")
    assert "put it in quotes (line 1)" in line


def test_what_holds_between_the_parts_is_told_in_the_same_round():
    both = said("name: a\nlimit: no number\nparts:\n  a: {words: b}\n")
    assert [line.split(":")[0] for line in both] == ["  limit", "  parts.a"]
    assert both[1] == "  parts.a: is called as the whole (line 4)"
    # A part on which it hangs is mended first.
    assert len(said("name: a\nparts:\n  a: {words: 1}\n")) == 1

"""Titles and names from files are text, whatever is in them, in the terminal and on pages."""

import html
import json
import re
import sys

import pytest
from markdown_it import MarkdownIt
from rich.table import Table
from rich.text import Text

from study_app.cli import plausibly
from study_app.cli.options import print_json, say
from study_app.cli.terminal import Terminal, print_table
from study_app.markdown import literal

HOSTILE = (
    "[/bold] [link=http://evil]x[/link]",
    "[red]red[/red] :smile:",
    "\x1b]0;owned\x07\x1b[31mred",
    "\x9b31mred",
    "half \ud800",
)


@pytest.mark.parametrize("title", HOSTILE)
def test_a_title_is_printed_as_text(capsys, title):
    table = Table(title=title, caption=title)
    table.add_column(title)
    table.add_row(title)
    table.add_row(Text("holds", "bold green"))
    print_table(table)
    Terminal(stderr=True, width=130, force_terminal=True).print(f"Experiment x: {title}")
    say(title)
    told = capsys.readouterr()
    for stream in told:
        assert not {"\x1b]", "\x1b[31m", "\x07", "\x9b", "\ud800"} & set(_pieces(stream))
        if "[" in title and title.isprintable():
            assert title in stream
    assert told.out.count("\ufffd") == 5 * sum(not c.isprintable() for c in title)


def _pieces(text):
    return [text[start : start + size] for start in range(len(text)) for size in (1, 2, 5)]


def test_json_is_the_same_value_without_what_a_terminal_obeys(capsys):
    value = {"title": "\x1b[31m\x9b31m\x7f ü 日本"}
    print_json(value)
    printed = capsys.readouterr().out
    assert json.loads(printed) == value
    assert all(c.isprintable() or c == "\n" for c in printed)
    assert "ü 日本" in printed


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1)) ![i](http://evil/x.png) <b>b</b>",
        "# heading * item _a_ `code` $x^2$ :red[r] ~~s~~ | c | https://evil.example",
        "1. first",
        "10) tenth",
        "- item _b_",
        "a@example.org www.example.org &lt; &#60;",
        "a\n# b",
        "Noise (± 5 %), what is it?",
    ],
)
def test_text_in_markdown_is_text(text):
    rendered = MarkdownIt("commonmark").render(literal(text))
    line = " ".join(text.split())
    assert html.unescape(rendered).replace("\u2060", "") == f"<p>{line}</p>\n"
    bare = re.sub(r"\\.", "", literal(text))
    assert not re.search(r"[\[<$`~]|:\S|://|www\.|@\w", bare)


def test_sentences_stay_as_they_are():
    said = "2 answers of label_nafc (1 person): -1.5 % to 3, or can't tell; that's 5 + 1."
    assert literal(said) == said


@pytest.mark.parametrize("command", [["run"], ["study", "lint"], ["report"]])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name: " + "[" * 3000, "more than 40 levels deep"),
        ("seed: " + "9" * 5000, "is too large"),
        ('title: "\\e]0;owned\\a"', "control character U+001B"),
    ],
)
def test_a_bad_file_gets_a_sentence_and_exit_code_2(
    tmp_path, monkeypatch, capsys, command, content, said
):
    path = tmp_path / "evil.yaml"
    path.write_text(content)
    monkeypatch.setattr(sys, "argv", ["plausibly", *command, str(path)])
    with pytest.raises(SystemExit) as ended:
        plausibly.main()
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("plausibly: ")
    assert said in told.err
    assert "Traceback" not in told.err

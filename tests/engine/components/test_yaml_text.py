"""YAML that people may send: a sentence with the line, in no time and little memory."""

import os
import re
from pathlib import Path

import pytest
import yaml

from engine.components import Document, yaml_files, yaml_text
from engine.errors import UsageError

TEN = ",".join(["*a{0}"] * 10)
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{TEN.format(n - 1)}]\n" for n in range(1, 10)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 100))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: " + "[" * 3000 + "]" * 3000, "line 1: more than 40 levels deep"),
        ("- " * 3000 + "x", "line 1: more than 40 levels deep"),
        (BOMB, "more than 20000 parts, with every alias written out"),
        (CHAIN, "more than 40 levels deep by its aliases"),
        ("a: &a {b: *a}", "line 1: it holds itself by an alias"),
        ("<<: &a {<<: *a}", "line 1: it holds itself by an alias"),
        ("a: " + "x" * 2**20, "larger than 1 MiB"),
        ("b: 1\na: " + "9" * 5000, "line 2: the number '99999999999999999999'… is too large"),
        ("a: 9223372036854775808", "is too large"),
        ("a: 0x" + "f" * 5000, "is too large"),
        ("a: 2026-13-45", r"line 1: '2026-13-45' cannot be read \(month must be"),
        ("a: !!int x", "line 1: 'x' cannot be read"),
        ("a: !!bool x", "line 1: 'x' cannot be read"),
        ("a: !!timestamp x", "line 1: 'x' cannot be read"),
        ("a: !!python/object/apply:os.system [touch x]", "could not determine a constructor"),
        ("? [a]\n: b", "unhashable key"),
        ("a: 1\na: 2", "line 2: the key 'a' is there twice"),
        (r'a: "\e[31mred"', r"line 1: the text holds the control character U\+001B; leave it out"),
        (r'a: "\x9b31mred"', r"control character U\+009B"),
        (r'"\x07": a', r"control character U\+0007"),
        (r'a: "\ud800"', r"control character U\+D800"),
        ("a: \0", "special characters are not allowed"),
    ],
)
def test_what_is_refused_is_refused_with_a_sentence(text, said):
    with pytest.raises(yaml.YAMLError, match=said):
        yaml_text.parse(text)


def test_parts_are_counted_while_they_are_read(monkeypatch):
    monkeypatch.setattr(yaml_text, "MAX_NODES", 50)
    with pytest.raises(yaml.YAMLError, match="line 3: more than 50 parts"):
        yaml_text.parse("a:\n- 1\n- [" + "x," * 60)


def test_what_studies_need_is_read():
    text = """
    title: "Größe: \\u200fאב\\u200e, 日本語 😀\\ttab"
    same: &same {a: [1, 2.5, 1e-3], on: true, none: null, most: -9223372036854775808}
    again: *same
    merged: {<<: *same, a: 1}
    long: |
      one
      two
    """
    found = yaml_text.parse(text)
    assert found["title"] == "Größe: \u200fאב\u200e, 日本語 😀\ttab"
    assert found["again"] == found["same"] == {
        "a": [1, 2.5, 0.001], True: True, "none": None, "most": -(2**63)
    }  # fmt: skip
    assert found["merged"]["a"] == 1
    assert found["long"] == "one\ntwo\n"
    assert yaml_text.parse("") is None


class Named(Document):
    name: str


@pytest.mark.parametrize("size", [2**20 + 1, None], ids=["too large", "FIFO"])
def test_a_file_that_cannot_be_one_is_refused_at_once(tmp_path, size):
    path = tmp_path / "mine.yaml"
    if size is None:
        os.mkfifo(path)
    else:
        path.write_bytes(b"x" * size)
    with pytest.raises(UsageError, match=re.escape(str(path))):
        yaml_files.load(Named, str(path), "study", tmp_path)


def test_nothing_else_reads_yaml():
    rooms = (Path(__file__).parents[3] / room for room in ("engine", "db", "study_app"))
    sources = (path for room in rooms for path in room.rglob("*.py"))
    reading = [
        p.name
        for p in sources
        if re.search(r"yaml\.(\w*load|\w*Loader|compose|parse)\b", p.read_text())
    ]
    assert reading == ["yaml_text.py"]

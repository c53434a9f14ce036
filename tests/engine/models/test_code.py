"""Which files are the code of a network of one's own, and that what is hashed is what runs."""

from __future__ import annotations

import os
import sys
import textwrap

import pytest

from engine import models
from engine.errors import UsageError
from engine.models import _code
from engine.models._syntax import parsed

NET = """
    from torch import nn
    from . import blocks

    class Net(nn.Linear):
        def __init__(self):
            super().__init__(4, blocks.WIDTH)

        def forward(self, x):
            from our_lab.deep import late
            return late.twice(super().forward(x.flatten(1)))
"""
FILES = {
    "our_lab/__init__.py": "",
    "our_lab/unused.py": "raise SystemExit",
    "our_lab/nets.py": NET,
    "our_lab/blocks/__init__.py": "import shared\nWIDTH = shared.SIZE",
    "our_lab/deep/__init__.py": "from ..constants import *",
    "our_lab/deep/late.py": "def twice(x): return x * 2",
    "our_lab/constants.py": "ONE = 1",
    "shared.py": "import math, types\nSIZE = 2",
    "types.py": "it is Python's own that is imported",
    "not_mine.py": "",
}
NOT_OF_NET = {"our_lab/unused.py", "types.py", "not_mine.py"}
OF_NET = {*FILES} - NOT_OF_NET


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A folder with a package and two modules, of which a fresh process would know nothing."""
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path, **FILES)
    yield tmp_path
    forget()


def write(folder, **files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))


def forget():
    for name in [n for n in sys.modules if n.partition(".")[0] in ("our_lab", "shared")]:
        del sys.modules[name]


def made():
    forget()
    return models.create("external", module="our_lab.nets:Net")


@pytest.mark.parametrize(
    "same",
    [
        "def f(x, *, y=1):\n    return {**x, 'a': y}\n",
        '# a comment\ndef f(\n  x,\n  *, y = 0x1,\n):  # another\n\n    return {**x, "a": (y)}',
        "# -*- coding: latin-1 -*-\r\ndef f(x, *, y=1): return {**x, 'a': y,}",
    ],
)
def test_comments_and_layout_do_not_count(same):
    # Written down once: another Python must give the same.
    digest = "0f5fc0669892b45f3b101dc0221d3638775ca6ba1c0cbe214016f6e7e61ba5af"
    assert parsed(same.encode()).sha256 == digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 'a'", "x = b'a'"),
        ("x = 'None'", "x = None"),
        ("x = y", "x = 'y'"),
        ("f(a, b)", "f(a)(b)"),
        ("[a, [b]]", "[[a], b]"),
        ("f(*a, b)", "f(a, *b)"),
        ("def f(a, /, b): pass", "def f(a, b): pass"),
        ("if a:\n  b\n  c", "if a:\n  b\nc"),
        ("import a.b", "from a import b"),
        ("from . import a", "from .. import a"),
        ("match x:\n  case None: pass", "match x:\n  case True: pass"),
        ("x = f'{a!r}'", "x = f'{a!s}'"),
        ("not python", "not python at all"),
    ],
)
def test_what_means_something_else_counts(one, other):
    assert parsed(one.encode()).sha256 != parsed(other.encode()).sha256


def test_the_code_is_what_is_imported_from_the_same_folder(lab):
    first = made()
    assert set(first.code()) == OF_NET
    assert first.config()["code_sha256"] == first.code_sha256
    assert models.registry.from_config(first.config()) == first
    for name in FILES:
        before = (lab / name).read_text()
        (lab / name).write_text(f"{before}\nMORE = 1\n")
        assert (made().code_sha256 != first.code_sha256) == (name in OF_NET), name
        (lab / name).write_text(f"# nothing\n{before}")
        assert made() == first


def test_of_installed_packages_only_the_package_itself_counts(lab, monkeypatch):
    monkeypatch.setattr(_code, "_is_installed", lambda root: root == lab.resolve())
    assert set(made().code()) == OF_NET - {"shared.py"}
    assert set(models.create("external", module="torch.nn:Flatten").code()) == {
        "torch/nn/__init__.py"
    }


def test_this_programs_own_code_is_not_code_of_ones_own():
    """Its members have versions: a class beside it is no other one with each release."""
    assert _code.running("nothing_at_all").sha256 is None
    root = _code._scan("study_app.cli.plausibly", _code._on_disk)
    assert not [name for name in root if name.partition(".")[0] == "engine"]


def test_what_is_hashed_is_what_runs(lab):
    """Also where Python would take what it compiled of a file of the same size and second."""
    (lab / "shared.py").write_text("SIZE = 2\n")
    made()
    there = (lab / "shared.py").stat()
    (lab / "shared.py").write_text("SIZE = 3\n")
    os.utime(lab / "shared.py", ns=(there.st_atime_ns, there.st_mtime_ns))
    changed = made()
    assert changed.network((1, 2, 2), 3).out_features == 3


def test_a_process_keeps_to_the_code_that_it_has_read(lab):
    first = made()
    (lab / "our_lab/deep/late.py").write_text("def twice(x): return x * 3")
    # It was not imported yet: what was hashed is imported all the same.
    network = models.registry.from_config(first.config()).network((1, 2, 2), 2)
    assert sys.modules["our_lab.deep.late"].twice(1) == 2
    assert network.out_features == 2
    with pytest.raises(UsageError, match=r"after this .*\(our_lab/deep/late.py\); start the"):
        models.create("external", module="our_lab.nets:Net")
    forget()
    changed = made().code_sha256
    with pytest.raises(UsageError, match=r"'our_lab.nets:Net' \(.*has SHA-256 .*code_sha256 is"):
        models.registry.from_config(first.config())
    assert changed != first.code_sha256
    (lab / "our_lab/deep/late.py").write_text(FILES["our_lab/deep/late.py"])
    with pytest.raises(UsageError, match=r"\(our_lab/deep/late.py\); start the process anew"):
        models.registry.from_config(first.config())


def test_a_file_that_changed_after_somebody_imported_it_is_refused(lab, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    import our_lab.nets

    path = lab / "our_lab/nets.py"
    path.write_text(path.read_text().replace("x.flatten(1)", "x.flatten(1) * 5"))
    with pytest.raises(UsageError, match=r"after this process had imported it \(nets.py\)"):
        models.create("external", module="our_lab.nets:Net")
    assert our_lab.nets.Net is not None

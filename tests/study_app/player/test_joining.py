"""The scripts become one file: in order, without imports, with one meaning for each name."""

from __future__ import annotations

from pathlib import Path

import pytest

from study_app.player.assets import player_loader, player_script
from study_app.player.joining import ScriptError, join_modules

SCRIPTS = Path(__file__).parents[3] / "study_app" / "player" / "script"


def write(folder: Path, **files: str) -> Path:
    """Scripts by name, `__` for a folder; returns the path of main.js."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.js"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder / "main.js"


def test_what_is_used_comes_before_what_uses_it(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        main='import { Late } from "./parts/late.js";\nimport { a } from "./a.js";\n\n'
        "/** Says. */\nexport default function say() { return new Late(a); }\n",
        a="// The first letter.\n\nexport const a = 1; // stays\n",
        parts__late='import {\n  Early,\n} from "./early.js";\n'
        "export class Late extends Early {}\n",
        parts__early='import { a } from "../a.js";\n\n/** Is\n * early. */\nexport class Early {'
        "\n  // why\n  b = a;\n}\n",
    )
    assert join_modules(entry) == (
        "// --- a.js ---\n\nconst a = 1; // stays\n\n"
        "// --- parts/early.js ---\n\nclass Early {\n  b = a;\n}\n\n"
        "// --- parts/late.js ---\n\nclass Late extends Early {}\n\n"
        "// --- main.js ---\n\nexport default function say() { return new Late(a); }\n"
    )


def test_equal_names_in_two_files_are_refused(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        main='import { a } from "./a.js";\nconst LIMIT = 2;\nexport default function f() {}\n',
        a="const LIMIT = 1;\nexport async function a() { const b = LIMIT; return b; }\n",
    )
    with pytest.raises(ScriptError, match=r"'LIMIT' is declared in a\.js and main\.js.*rename"):
        join_modules(entry)


def test_circles_are_refused(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        main='import { a } from "./a.js";\n',
        a='import { b } from "./b.js";\nexport const a = 1;\n',
        b='import { a } from "./a.js";\nexport const b = 1;\n',
    )
    with pytest.raises(ScriptError, match=r"circle: a\.js -> b\.js -> a\.js"):
        join_modules(entry)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            'import { b } from "./a.js";',
            r"main\.js imports 'b' from a\.js, which does not export it",
        ),
        ('import { hidden } from "./a.js";', "which does not export it"),
        ('import { c } from "./c.js";', r"main\.js imports from c\.js, which is not there"),
        (
            'import * as all from "./a.js";',
            r"main\.js: .*import \* as all.*cannot be joined; write",
        ),
        ('import { a as b } from "./a.js";', r"'a as b' cannot be joined"),
        ('import "./a.js";', "cannot be joined"),
        ('import { a } from "somewhere";', "cannot be joined"),
        ("export { a };", "cannot be joined"),
        ("const { a, b } = window;", "a pattern at the top level"),
        ("const words = `\n// no comment`;", "a template of several lines"),
    ],
)
def test_what_cannot_be_joined_is_said(line: str, says: str, tmp_path: Path) -> None:
    entry = write(tmp_path, main=f"{line}\n", a="export const a = 1;\nconst hidden = 2;\n")
    with pytest.raises(ScriptError, match=says):
        join_modules(entry)


def test_every_script_of_the_player_is_in_the_file() -> None:
    joined = player_script().content.decode()
    for path in SCRIPTS.rglob("*.js"):
        assert joined.count(f"// --- {path.relative_to(SCRIPTS).as_posix()} ---\n") == 1
    assert "\nimport " not in joined
    assert joined.count("\nexport ") == 1


def test_the_page_brings_only_the_address_of_the_file() -> None:
    """One line would be taken for a path by Streamlit."""
    loader = player_loader()
    assert loader.count(player_script().address) == 1
    assert loader.count("\n") > 3
    assert len(loader) < 5000
